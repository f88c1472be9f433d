"""The site's pages below a language."""

from django.conf.urls.i18n import i18n_patterns

from project.urls import urlpatterns as pages

urlpatterns = i18n_patterns(*pages)

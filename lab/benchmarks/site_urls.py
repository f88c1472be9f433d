"""The site's own pages, and those that all are asked alike."""

from project import urls

from .urls import urlpatterns as pages

urlpatterns = [*pages, *urls.urlpatterns]

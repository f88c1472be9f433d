"""The site's own pages, and the two that all are asked alike."""

from django.urls import path

from project import urls

from .urls import bare, hello

urlpatterns = [path("bare/", bare), path("hello/", hello), *urls.urlpatterns]

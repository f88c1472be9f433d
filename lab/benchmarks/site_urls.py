"""The site's own pages, and one of which all are asked alike."""

from django.urls import path

from project import urls

from .urls import hello

urlpatterns = [path("hello/", hello), *urls.urlpatterns]

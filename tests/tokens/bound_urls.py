"""The whole site, and the endpoints of device-bound sessions."""

from django.urls import include, path

from project.urls import urlpatterns as site

urlpatterns = [*site, path("device-binding/", include("tokens.contrib.device_binding"))]

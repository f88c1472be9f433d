"""The pages of the peers, and the endpoints of device binding."""

from django.urls import include, path

from .urls import urlpatterns as pages

urlpatterns = [*pages, path("device-binding/", include("tokens.contrib.device_binding"))]

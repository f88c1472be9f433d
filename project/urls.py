"""Route the whole site."""

from django.contrib import admin
from django.urls import include, path

from project import health
from project.csp import csp_report
from project.metrics import metrics
from tokens.contrib.status_list import status_list
from tokens.views import jwks, metadata

handler500 = "project.errors.server_error"

urlpatterns = [
    path("", include("accounts.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("accounts.api.urls")),
    path(".well-known/jwks.json", jwks, name="jwks"),
    path(".well-known/openid-configuration", metadata, name="metadata"),
    path(".well-known/status-list", status_list, name="status_list"),
    path("csp-report", csp_report, name="csp_report"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

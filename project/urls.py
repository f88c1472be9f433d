"""Route the whole site."""

from django.contrib import admin
from django.urls import include, path

from project import health, site
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
    path(".well-known/security.txt", site.security_txt, name="security_txt"),
    path("robots.txt", site.robots_txt, name="robots_txt"),
    path("favicon.ico", site.favicon, name="favicon"),
    path("apple-touch-icon.png", site.apple_touch_icon, name="apple_touch_icon"),
    path("site.css", site.site_css, name="site_css"),
    path("csp-report", csp_report, name="csp_report"),
    path("device-binding/", include("tokens.contrib.device_binding")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

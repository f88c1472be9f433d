"""Route the API: which view answers which method of a URL."""

from django.urls import path, re_path

from accounts.api import document, views
from accounts.api.endpoint import endpoint

urlpatterns = [
    path("", document.root),
    path("openapi.json", document.document, name="openapi"),
    path("auth/login", endpoint(post=views.login)),
    path("auth/second-factor", endpoint(post=views.second_factor)),
    path("auth/refresh", endpoint(post=views.refresh)),
    path("auth/logout", endpoint(post=views.logout)),
    path("auth/logout-everywhere", endpoint(post=views.logout_everywhere)),
    path("me", endpoint(get=views.me)),
    path("sessions", endpoint(get=views.list_sessions)),
    path("sessions/<uuid:pk>", endpoint(delete=views.end_session)),
    path("admin/dashboard", endpoint(get=views.dashboard)),
    path("public", endpoint(get=views.public)),
    re_path("", endpoint(**dict.fromkeys(("get", "post", "put", "patch", "delete"), views.not_found))),
]

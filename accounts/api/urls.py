"""Route the API."""

from django.urls import path, re_path

from accounts.api import document, views

urlpatterns = [
    path("", document.root),
    path("openapi.json", document.document, name="openapi"),
    path("auth/login", views.login),
    path("auth/second-factor", views.second_factor),
    path("auth/refresh", views.refresh),
    path("auth/logout", views.logout),
    path("auth/logout-everywhere", views.logout_everywhere),
    path("me", views.me),
    path("sessions", views.sessions_),
    path("sessions/<uuid:pk>", views.session),
    path("admin/dashboard", views.dashboard),
    path("public", views.public),
    re_path("", views.not_found),
]

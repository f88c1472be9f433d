"""Django REST framework: its SessionAuthentication, its log-in for the browsable API, and CSRF on what writes."""

from tests.third_party.walks.people import browser, log_in, person, post

SETTINGS = """
INSTALLED_APPS += ["rest_framework"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
"""
URLS = """
from django.urls import include
from tests.third_party.walks import api

urlpatterns += [path("auth/", include("rest_framework.urls")), path("api/me/", api.Me.as_view())]
"""


def walk() -> None:
    from tokens.models import RefreshToken

    person("bob")
    bob = browser()
    assert bob.get("/api/me/").status_code == 403
    assert log_in(bob, "bob", "/auth/login/", next="/api/me/").headers["Location"] == "/api/me/"
    assert bob.get("/api/me/").json() == {"name": "bob", "address": "bob@example.org"}
    del bob.cookies["__Host-access"]
    assert "Log out" in bob.get("/api/me/", headers={"accept": "text/html"}).content.decode()
    assert bob.post("/api/me/", {"x": 1}).status_code == 403
    token = bob.cookies["csrftoken"].value
    assert bob.post("/api/me/", {"x": 1}, headers={"x-csrftoken": token}).json() == {"got": {"x": "1"}}
    RefreshToken.objects.get().revoke("admin")
    assert bob.get("/api/me/").status_code == 403
    log_in(bob, "bob", "/auth/login/")
    assert post(bob, "/auth/logout/").status_code == 200
    assert bob.get("/api/me/").status_code == 403

"""django-allauth's API for single-page sites in browsers; its apps and its list of sessions are warned of by checks."""

from typing import Any

from tests.third_party.walks import allauth
from tests.third_party.walks.people import PASSWORD, browser, on, person

SETTINGS = (
    allauth.SETTINGS
    + """
INSTALLED_APPS += ["allauth.headless", "allauth.usersessions"]
HEADLESS_FRONTEND_URLS = {}
SILENCED_SYSTEM_CHECKS = ["tokens.W013", "tokens.W014"]
"""
)
URLS = (
    allauth.URLS
    + """
urlpatterns += [path("_allauth/", include("allauth.headless.urls"))]
"""
)
API = "/_allauth/{}/v1/auth/{}"


def walk() -> None:
    from django.core.checks import run_checks

    assert {"tokens.W013", "tokens.W014"} == {found.id for found in run_checks()}
    bob = person("bob")
    in_a_browser()
    what_the_checks_warn_of(bob)


def in_a_browser() -> None:
    from tokens.models import RefreshToken

    bob = browser()

    def ask(method: str, url: str, **fields: Any) -> Any:
        token = bob.cookies["csrftoken"].value if "csrftoken" in bob.cookies else ""
        send = getattr(bob, method)
        return send(API.format("browser", url), fields, "application/json", headers={"x-csrftoken": token})

    assert bob.get(API.format("browser", "session")).status_code == 401
    answer = ask("post", "login", username="bob", password=PASSWORD)
    assert answer.json()["data"]["user"]["display"] == "bob", answer.json()
    del bob.cookies["__Host-access"]
    assert bob.get(API.format("browser", "session")).json()["meta"]["is_authenticated"]
    assert "bob" in on(bob, "/closed/")
    assert ask("delete", "session").status_code == 401
    assert "nobody" in on(bob) and RefreshToken.objects.get().reason == "signed_out"


def what_the_checks_warn_of(bob: Any) -> None:
    from allauth.usersessions.models import UserSession

    app = browser()
    fields = {"username": "bob", "password": PASSWORD}
    answer = app.post(API.format("app", "login"), fields, "application/json")
    token = answer.json()["meta"]["session_token"]
    app.cookies.clear()
    assert app.get(API.format("app", "session"), headers={"x-session-token": token}).status_code == 401
    assert UserSession.objects.exists()  # and none of them is of a sign-in, so that none is listed
    assert UserSession.objects.purge_and_list(bob) == []

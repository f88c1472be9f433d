"""django-allauth's API for apps, with the token strategy of `tokens`: its session token, and ours beside it."""

import json
from typing import Any

from tests.third_party.walks import allauth
from tests.third_party.walks.people import PASSWORD, browser, person

SETTINGS = (
    allauth.SETTINGS
    + """
INSTALLED_APPS += ["allauth.headless"]
HEADLESS_TOKEN_STRATEGY = "tokens.contrib.allauth.TokenStrategy"
HEADLESS_FRONTEND_URLS = {}
TOKENS_CONFIRM_AFTER = 0.1
"""
)
URLS = (
    allauth.URLS
    + """
from allauth.headless.contrib.rest_framework.authentication import XSessionTokenAuthentication
from tokens.contrib.drf import TokenAuthentication
from tests.third_party.walks import api

urlpatterns += [
    path("_allauth/", include("allauth.headless.urls")),
    path("api/me/", api.Me.as_view(authentication_classes=[TokenAuthentication, XSessionTokenAuthentication])),
]
"""
)
API = "/_allauth/app/v1/"


def walk() -> None:
    from tokens.models import RefreshToken

    person("bob")
    signed_in = ask("POST", "auth/login", username="bob", password=PASSWORD)["meta"]
    row = RefreshToken.objects.get()
    assert row.is_app and row.remember
    token, access, refresh = (signed_in[key] for key in ("session_token", "access_token", "refresh_token"))
    assert ask("GET", "auth/session", token)["data"]["user"]["username"] == "bob"
    assert me(access) == "bob"
    assert me(token) == me(refresh) == "nobody" and me("", {"x-session-token": token}) == "bob"

    renewed = ask("POST", "tokens/refresh", refresh_token=refresh)["data"]
    assert me(renewed["access_token"]) == "bob" and renewed["refresh_token"] != refresh
    assert "access_token" not in ask("POST", "tokens/refresh", refresh_token="wrong").get("data", {})
    as_a_cookie = browser()
    as_a_cookie.cookies["sessionid"] = token
    assert b"nobody" in as_a_cookie.get("/who/").content

    other = ask("POST", "auth/login", username="bob", password=PASSWORD)["meta"]["session_token"]
    RefreshToken.objects.exclude(pk=row.pk).get().revoke("ended")
    assert ask("GET", "auth/session", other)["status"] == 410
    assert ask("DELETE", "auth/session", token)["status"] == 401
    assert ask("GET", "auth/session", token)["status"] == 410
    row.refresh_from_db()
    assert row.reason == "signed_out" and me(access) == me(renewed["access_token"]) == "nobody"

    last = ask("POST", "auth/login", username="bob", password=PASSWORD)["meta"]["session_token"]
    changed = ask("POST", "account/password/change", last, current_password=PASSWORD, new_password=allauth.NEW)
    assert changed["status"] == 200 and ask("GET", "auth/session", last)["status"] == 410
    assert not RefreshToken.objects.live().exists()


def ask(method: str, url: str, token: str = "", **fields: Any) -> Any:
    """What the API answers, by its words alone: an app keeps no cookies, and is sent none."""
    headers = {"x-session-token": token} if token else {}
    answer = browser().generic(method, API + url, json.dumps(fields), "application/json", headers=headers)
    assert not answer.cookies
    return answer.json()


def me(token: str, header: dict[str, str] | None = None) -> str:
    answer = browser().get("/api/me/", headers=header or {"authorization": f"Bearer {token}"})
    return str(answer.json().get("name", "nobody"))

"""No page is forgotten: the gallery has every address of the site."""

import re
from uuid import UUID

import pytest
from django.urls import get_resolver, resolve

from tests.accounts.test_pages import patterns
from tests.ui.gallery import GALLERY, NAMED

pytestmark = pytest.mark.once

FACTS = dict.fromkeys(
    ("session", "here", "bob_id", "petra_id", "gwen_id", "wanda_id", "hostile_id", "group_id", "event_id", "mail_id"),
    UUID(int=0),
)
FACTS["passkey_id"] = FACTS["identity_id"] = 1
FACTS |= dict.fromkeys(("reset", "confirm", "undo", "old", "used", "undone", "lost", "leaving"), f"{UUID(int=0)}/token")

LEAD_ELSEWHERE = {
    "/.well-known/change-password",
    "/accounts/confirm/<slug:name>/",
    "/accounts/language/",
    "/accounts/login/<slug:name>/",
    "/accounts/login/passkey/",
    "/accounts/logout/",
    "/accounts/second-factor/",
    "/accounts/second-factor/lost/",
    "/accounts/security/browsers/<uuid:pk>/remove/",
    "/accounts/security/passkeys/add/",
    "/accounts/security/providers/<slug:name>/add/",
    "/admin/login/",
    "/admin/logout/",
    "/admin/password_change/",
}
FOR_PROGRAMS = {
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/.well-known/passkey-endpoints",
    "/.well-known/security.txt",
    "/.well-known/status-list",
    "/accounts/login/passkey/options/",
    "/admin/accounts/securityevent/csv/",
    "/admin/autocomplete/",
    "/admin/jsi18n/",
    "/apple-touch-icon.png",
    "/csp-report",
    "/device-binding/refresh",
    "/device-binding/register",
    "/favicon.ico",
    "/healthz",
    "/metrics",
    "/readyz",
    "/robots.txt",
    "/site.css",
}
NEVER_REACHED = {"/admin/password_change/done/", "/admin/(?P<url>.*)$"}


def routes():
    return {route.replace("/^", "/") for route, _ in patterns(get_resolver())}


def shown():
    paths = [picture.path.format(**FACTS).partition("?")[0] for picture in GALLERY if picture.status not in (404, 405)]
    return {"/" + resolve(path).route for path in paths if not path.startswith(("/trouble/", "/styleguide/"))}


def is_spare(route):
    """In the admin: what each list has and few are allowed, and what leads on to the form."""
    return route.startswith("/admin/") and route.endswith(("/add/", "/delete/", "/history/", "<path:object_id>/"))


def test_every_page_of_the_site_is_in_the_gallery():
    pages = {route for route in routes() if not route.startswith("/api/")}
    missing = pages - shown() - LEAD_ELSEWHERE - FOR_PROGRAMS - NEVER_REACHED
    assert {route for route in missing if not is_spare(route)} == set()


def test_what_is_left_out_is_there_and_is_shown_nowhere():
    left_out = LEAD_ELSEWHERE | FOR_PROGRAMS | NEVER_REACHED
    assert left_out <= routes()
    assert not left_out & shown()


def test_what_leads_elsewhere_is_no_page(client, sign_in, alice):
    for route in LEAD_ELSEWHERE:
        sign_in(client, alice)
        assert client.get(re.sub("<.*?>", "1", route)).status_code in (302, 404, 405), route


def test_no_two_pictures_have_the_same_name():
    assert len(NAMED) == len(GALLERY)

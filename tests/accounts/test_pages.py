"""What every page has, and which are open."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, get_resolver, reverse

OPEN = {
    "/",
    "/.well-known/change-password",
    "/.well-known/jwks.json",
    "/.well-known/openid-configuration",
    "/.well-known/status-list",
    "/accounts/email/confirm/<uuid:key>/<token>/",
    "/accounts/email/undo/<uuid:key>/<token>/",
    "/accounts/email/verify/",
    "/accounts/language/",
    "/accounts/login/",
    "/accounts/logout/",
    "/accounts/password/reset/",
    "/accounts/password/reset/<uidb64>/<token>/",
    "/accounts/password/reset/complete/",
    "/accounts/password/reset/done/",
    "/accounts/signup/",
    "/admin/login/",
    "/csp-report",
    "/healthz",
    "/metrics",
    "/readyz",
}


def patterns(resolver, prefix="/"):
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        elif isinstance(entry, URLPattern):
            yield route, entry.callback


def test_these_pages_are_open_and_no_others():
    routes = {route for route, view in patterns(get_resolver()) if not getattr(view, "login_required", True)}
    assert {route for route in routes if not route.startswith("/api/")} == OPEN


def test_the_api_has_these_addresses_and_asks_for_tokens_by_itself():
    routes = {route for route, _ in patterns(get_resolver()) if route.startswith("/api/")}
    assert routes == {
        "/api/",
        "/api/admin/dashboard",
        "/api/auth/login",
        "/api/auth/logout",
        "/api/auth/logout-everywhere",
        "/api/auth/refresh",
        "/api/me",
        "/api/openapi.json",
        "/api/public",
        "/api/sessions",
        "/api/sessions/<uuid:pk>",
    }


@pytest.mark.parametrize(
    "url",
    [
        "/accounts/profile/",
        "/accounts/activity/",
        "/accounts/sessions/",
        "/accounts/password/change/",
        "/accounts/export/",
        "/accounts/delete/",
        "/accounts/keep/",
    ],
)
def test_a_closed_page_leads_to_the_log_in_page(client, db, url):
    assert client.get(url).headers["Location"] == f"/accounts/login/?next={url}"


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500", "503"])
def test_an_error_page_stands_alone(name, django_assert_num_queries, db):
    """Django renders most of them without a request."""
    with django_assert_num_queries(0):
        page = render_to_string(f"{name}.html")

    assert page.count("<h1>") == 1
    assert "Go home" in page


def test_a_page_that_is_not_there_says_so(client, db):
    response = client.get("/no/such/page/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


@pytest.mark.parametrize(
    "path", sorted(Path(settings.BASE_DIR / "templates").rglob("*.html")), ids=lambda path: path.name
)
def test_no_template_has_script_or_style_of_its_own(path):
    """Mails have style: those who read them know no sheets of ours."""
    style = r"|<style|\sstyle=" if path.parent.name != "mails" else ""
    script = r"<script(?! src=\"{% static 'js/\w+\.js' %}\" defer></script>)"
    assert not re.search(rf"{script}{style}|\son\w+=|javascript:|https?://|\|safe", path.read_text())


@pytest.mark.parametrize(
    "url", ["/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nowhere/"]
)
def test_every_page_has_one_heading_a_language_and_a_way_past_the_top(client, db, url):
    page = client.get(url).content.decode()

    assert page.count("<h1>") == 1
    assert '<html lang="en">' in page
    assert 'href="#main"' in page
    assert page.count('id="main"') == 1


@pytest.mark.parametrize("name", ["profile", "export", "password_change", "username_change", "email_change"])
def test_the_page_that_is_open_is_marked_among_those_of_the_account(client, bob, sign_in, name):
    sign_in(client, bob)

    nav = client.get(reverse(name)).content.decode().partition('<nav class="settings"')[2].partition("</nav>")[0]

    assert nav.count("aria-current") == 1
    assert f'href="{reverse(name)}" aria-current="page"' in nav


class TestFormErrors:
    def test_say_where_to_look_if_there_are_several(self, client, db):
        page = client.post("/accounts/signup/", {"username": "not a name", "email": "nobody"}).content.decode()

        assert "Please look at these once more:" in page
        for name in ("username", "email", "password1"):
            assert f'<a href="#id_{name}">' in page
            assert f'id="id_{name}_error"' in page
        assert page.count('aria-invalid="true"') == 4
        assert "<title>Please check: Create an account" in page

    def test_stand_at_the_field_alone_if_it_is_one(self, client, db):
        page = client.post("/accounts/password/reset/", {"email": "nobody"}).content.decode()

        assert "Please look at these once more:" not in page
        assert 'aria-describedby="id_email_error"' in page

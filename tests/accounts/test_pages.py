"""What every page has, which are open, and what is told where there is no page."""

import re
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts.models import User
from tests.conftest import PASSWORD
from tests.pages import ADMINS, OPEN, OWN, VISITORS
from tokens.models import RefreshToken


def patterns(resolver, prefix="/"):
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        elif isinstance(entry, URLPattern):
            yield route, entry.callback


def test_these_pages_are_open_and_no_others():
    routes = {route for route, view in patterns(get_resolver()) if not getattr(view, "login_required", True)}
    assert {route for route in routes if not route.startswith("/api/")} == OPEN.keys()


def test_the_api_has_these_addresses_and_asks_for_tokens_by_itself():
    routes = {route for route, _ in patterns(get_resolver()) if route.startswith("/api/")}
    assert routes == {
        "/api/",
        "/api/admin/dashboard",
        "/api/auth/login",
        "/api/auth/logout",
        "/api/auth/logout-everywhere",
        "/api/auth/refresh",
        "/api/auth/second-factor",
        "/api/me",
        "/api/openapi.json",
        "/api/public",
        "/api/sessions",
        "/api/sessions/<uuid:pk>",
    }


def test_an_error_page_stands_alone():
    """Django renders most of them without a request, and with no database at hand."""
    for name in ("400", "403", "403_csrf", "404", "500", "503"):
        assert render_to_string(f"{name}.html").count("<h1>") == 1, name


def test_no_template_has_script_or_style_of_its_own():
    """Mails have style: those who read them know no sheets of ours."""
    for path in Path(settings.BASE_DIR / "templates").rglob("*.html"):
        style = r"|<style|\sstyle=" if path.parent.name != "mails" else ""
        script = r"<script(?! src=\"{% static 'js/\w+\.js' %}\" defer( blocking=\"render\")?></script>)"
        forbidden = rf"{script}{style}|\son\w+=|javascript:|https?://|\|safe"
        assert not re.search(forbidden, path.read_text()), path


def test_every_page_has_one_heading_a_language_and_a_way_past_the_top(client, db):
    for url, status in (("/", 200), ("/accounts/login/", 200), ("/nowhere/", 404)):
        response = client.get(url)
        page = response.content.decode()
        assert response.status_code == status
        assert page.count("<h1>") == page.count('id="main"') == 1
        assert 'href="#main"' in page
        assert '<html lang="en">' in page and page.count('<meta name="theme-color"') == 2


class TestFormErrors:
    def test_say_where_to_look_if_there_are_several(self, client, db):
        page = client.post("/accounts/signup/", {"username": "not a name", "email": "nobody"}).content.decode()
        for name in ("username", "email", "password1"):
            assert f'<a href="#id_{name}">' in page
            assert f'id="id_{name}_error"' in page
        assert page.count('aria-invalid="true"') == 4
        asked = client.get("/accounts/signup/").content.decode()
        title = r"<title>(.*?)</title>"
        assert re.search(title, page)[1] != re.search(title, asked)[1]

    def test_stand_at_the_field_alone_if_it_is_one(self, client, db):
        page = client.post("/accounts/password/reset/", {"email": "nobody"}).content.decode()
        assert '<a href="#id_email">' not in page
        assert 'aria-describedby="id_email_error"' in page


@pytest.mark.once
class TestRefusedMethods:
    def test_are_told_on_a_page_with_a_way_back(self, here):
        for response, allow in (
            (here.get(reverse("logout")), "POST"),
            (here.post(reverse("activity")), "GET, HEAD"),
        ):
            assert (response.status_code, response.headers["Allow"]) == (405, allow)
            assert f'href="{reverse("home")}"' in response.content.decode().partition("<main")[2]

    def test_are_told_to_machines_by_the_header_alone(self, client, db):
        for path in ("/healthz", "/.well-known/jwks.json"):
            response = client.post(path)
            assert (response.status_code, response.content) == (405, b"")
            assert "GET" in response.headers["Allow"]


@pytest.mark.django_db(transaction=True)
def test_no_page_breaks_the_policy_or_is_too_wide_in_a_browser(page, live_server, alice):
    site = live_server.url.replace("127.0.0.1", "localhost")
    complaints, wide = [], []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def visit(urls):
        for url in urls:
            page.goto(site + url)
            for width in (320, 1000):
                page.set_viewport_size({"width": width, "height": 800})
                if page.evaluate("document.documentElement.scrollWidth") != width and url not in ADMINS:
                    wide.append((url, width))

    visit(VISITORS)
    page.goto(f"{site}/accounts/login/")
    page.fill("[name=username]", "alice")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{site}/")
    visit(["/", *OWN, *ADMINS])
    assert (complaints, wide) == ([], [])


def test_each_page_of_the_account_shows_where_one_is_and_has_the_way_out(here):
    of_security = ("username_change", "email_change", "email_verify", "password_change", "authenticator")
    within = dict.fromkeys(of_security, "security") | {"delete": "export"}
    for name in ("sessions", "activity", "profile", "security", "export", *within):
        page = here.get(reverse(name)).content.decode()
        [nav] = re.findall(r'<nav class="settings".*?</nav>', page, flags=re.S)
        assert nav.count("<a ") == 5
        current = "true" if name in within else "page"
        tab = re.search(r'aria-current="\w+">([^<]+)<', nav)[1]
        assert name in within or f"<title>{tab} · " in page
        assert re.findall(r'href="([^"]+)" aria-current="(\w+)"', nav) == [(reverse(within.get(name, name)), current)]
        assert 'action="/accounts/logout/"' in page


class TestWhoIsSignedIn:
    """The header says it, on each page, from what the token says."""

    @pytest.mark.parametrize(
        ("claims", "name", "initials"),
        [("", "bob.marsh", "BM"), ("first_name", "Robert", "R"), ("last_name", "bob.marsh", "BM")],
    )
    def test_at_no_query(self, client, bob, sign_in, settings, django_assert_num_queries, claims, name, initials):
        settings.TOKENS_USER_CLAIMS = ["username", *claims.split(), "is_staff", "email_verified_at", "reuse_unanswered"]
        User.objects.update(username="bob.marsh", first_name="Robert", last_name="Marsh")
        sign_in(client, User.objects.get())
        client.get("/")
        with django_assert_num_queries(0):
            page = client.get("/").content.decode()
        assert f'aria-hidden="true">{initials}</span><bdi>{name}</bdi></button>' in page

    def test_a_name_without_letters_has_no_initials(self):
        assert (User(username="_ _").initials, User(username="王小明").initials) == ("", "王")


class TestSecurity:
    @pytest.mark.parametrize("verified", [False, True])
    def test_leads_to_what_one_signs_in_with(self, here, bob, verified):
        User.objects.update(email_verified_at=timezone.now() if verified else None)
        page = here.get(reverse("security")).content.decode().partition("<main")[2]
        assert bob.email in page
        for name in ("username_change", "email_change", "password_change"):
            assert f'href="{reverse(name)}"' in page
        assert (reverse("email_verify") in page) is not verified


class TestHome:
    def test_a_visitor_gets_the_way_in_at_no_query(self, client, db, django_assert_num_queries):
        with django_assert_num_queries(0):
            page = client.get("/").content.decode()
        assert reverse("signup") in page

    @pytest.mark.parametrize("verified", [False, True])
    def test_reminds_of_an_email_to_confirm_at_no_query(
        self, client, bob, sign_in, django_assert_num_queries, verified
    ):
        User.objects.update(email_verified_at=timezone.now() if verified else None)
        sign_in(client, bob)
        client.get("/")
        with django_assert_num_queries(0):
            page = client.get("/").content.decode()
        assert (reverse("email_verify") in page) is not verified

    @pytest.mark.parametrize(("who", "led"), [("alice", True), ("bob", False)])
    def test_leads_to_the_admin_whoever_may_go_there(self, client, alice, bob, sign_in, who, led):
        sign_in(client, User.objects.get(username=who))
        assert (reverse("admin:index") in client.get("/").content.decode()) is led


class TestCancel:
    """Cancel leads back to where one came from, wherever a page has one."""

    FROM = "http://testserver/accounts/activity/?page=2"
    PAGES: ClassVar = {
        "password_change": "security",
        "username_change": "security",
        "email_change": "security",
        "delete": "export",
        "sessions_end_all": "sessions",
        "sessions_end_others": "sessions",
    }

    @staticmethod
    def link(answer):
        return re.search(r'<a href="([^"]*)" referrerpolicy="no-referrer">Cancel', answer.content.decode())[1]

    @pytest.mark.parametrize(("name", "default"), PAGES.items())
    def test_leads_back_after_a_mistake_and_a_question_too(self, here, there, name, default):
        url = reverse(name)
        answer = here.get(url, headers={"referer": self.FROM})
        assert self.link(answer) == "/accounts/activity/?page=2"
        carried, _of_the_footer = re.findall(r'name="next" value="([^"]*)"', answer.content.decode())
        RefreshToken.objects.update(authenticated_at=timezone.now() - timedelta(days=1))
        answer = here.post(url, {"next": carried}, headers={"referer": f"http://testserver{url}"})
        assert answer.status_code == 200  # a mistake, or a question for the password
        assert self.link(answer) == carried
        assert self.link(here.get(url)) == reverse(default)

    @pytest.mark.parametrize(
        "url",
        [
            "https://example.org/accounts/activity/",
            "http://testserver.example.org/",
            "http://testserver//example.org/",
            "http://testserver/\\example.org/",
            "javascript:alert(1)",
            "http://testserver/accounts/login/?next=/",
            "http://testserver/accounts/password/change/?again",
        ],
    )
    def test_leads_to_no_other_site_nor_round_in_circles(self, here, url):
        page = reverse("password_change")
        assert self.link(here.get(page, headers={"referer": url})) == reverse("security")
        assert self.link(here.post(page, {"next": url})) == reverse("security")

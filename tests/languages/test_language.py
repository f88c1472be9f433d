"""Which language a page speaks, and how it is chosen."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client as PlainClient
from django.utils import timezone, translation

from accounts.models import User
from tests.security.test_crawl import Page
from tests.security.test_forgery import ELSEWHERE, leaves
from tests.tokens.clock import elapse
from tokens.testing import Client

CHOOSE = "/accounts/language/"
COOKIE = "__Host-language"


def language_of(response):
    """The language that the page says it is in, which is that of its heading."""
    [html] = [attributes for tag, attributes in Page(response.content.decode()).tags if tag == "html"]
    with translation.override(html["lang"]):
        assert f"<h1>{translation.gettext('Sign in')}</h1>" in response.content.decode()
    return html["lang"]


@pytest.fixture
def ask(client, db):
    """`ask(accept_language)`: the language in which such a browser gets the log-in page."""
    return lambda wanted: language_of(client.get("/accounts/login/", headers={"accept-language": wanted}))


@pytest.mark.once
class TestTheBrowser:
    def test_says_which_language_it_would_like_and_nothing_is_left_of_it(self, ask):
        wanted = {"de-AT,en;q=0.5": "de", "fr,es-MX;q=0.8,en;q=0.7": "es", "zh-TW": "zh-hans", "fr": "en", "": "en"}
        assert {each: ask(each) for each in wanted} == wanted  # zh-hans is the nearest that there is
        ask("de")
        assert translation.get_language() == "en"

    def test_may_say_anything(self, ask):
        for wanted in ("de" * 5000, "de;q=x", ",,;;", "\u00fc", "de,\x00"):
            assert ask(wanted) in ("en", "de")

    def test_may_have_it_in_the_path_where_a_site_has_put_it(self, client, db, settings):
        settings.ROOT_URLCONF = "tests.languages.urls"
        assert language_of(client.get("/de/accounts/login/", headers={"accept-language": "es"})) == "de"
        assert client.get("/accounts/login/", headers={"accept-language": "es"}).url == "/es/accounts/login/"

    def test_whoever_is_refused_at_the_door_is_not_told_in_the_language_of_the_last_one(self, ask, settings):
        ask("de")
        settings.SECURE_SSL_REDIRECT = True  # that stands before
        response = PlainClient().get("/accounts/login/", headers={"host": "evil.example"})
        assert response.status_code == 400
        assert '<html lang="en"' in response.content.decode()

    def test_caches_are_told_what_the_answer_depends_on(self, client, db):
        for url in ("/", "/no/such/page/", "/accounts/profile/", "/admin/login/", "/accounts/login"):
            response = client.get(url, headers={"accept-language": "de"})
            varies = {name.strip() for name in response.headers["Vary"].split(",")}
            assert {"Accept-Language", "Cookie"} <= varies, url
            assert response.headers["Content-Language"] == "de", url
            assert "private" in response.headers["Cache-Control"], url

    @pytest.mark.parametrize("place", ["outside", "inside"])
    def test_djangos_cache_mixes_no_languages(self, client, db, settings, place):
        update, fetch = (f"django.middleware.cache.{name}CacheMiddleware" for name in ("Update", "FetchFrom"))
        site = settings.MIDDLEWARE
        settings.MIDDLEWARE = [update, fetch, *site] if place == "outside" else [update, *site, fetch]
        for wanted in ("de", "es", "de", "en", "zh", "es"):
            page = Client().get("/accounts/password/reset/", headers={"accept-language": wanted})
            assert page.headers["Content-Language"] == {"zh": "zh-hans"}.get(wanted, wanted)
        cache.clear()


class TestChoose:
    def choose(self, client, language, **fields):
        return client.post(CHOOSE, {"language": language, **fields})

    @pytest.mark.once
    def test_the_choice_outweighs_the_browser_and_outlives_it(self, ask, client):
        response = self.choose(client, "es", next="/accounts/login/?next=/accounts/profile/")

        assert (response.status_code, response.headers["Location"]) == (302, "/accounts/login/?next=/accounts/profile/")
        assert ask("de") == "es"
        cookie = response.cookies[COOKIE]
        assert cookie["max-age"] == 365 * 24 * 3600
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["domain"]) == ("/", "")

    @pytest.mark.once
    def test_there_are_no_others_to_choose_or_to_bring_along(self, client, ask):
        for language in ("fr", "", "de-at", "DE", "../de", "de\r\nX: y", "\x00"):
            response = self.choose(client, language, next="/accounts/login/")
            assert response.status_code == 302
            assert COOKIE not in response.cookies, language
        for value in ("fr", "../../de", "d" * 3000, '"de"', "\u00fc"):
            client.cookies[COOKIE] = value
            assert ask("") in ("en", "de"), value

    @pytest.mark.once
    def test_nobody_is_led_elsewhere(self, client, db):
        for wanted in ELSEWHERE:
            for headers in ({}, {"referer": wanted.encode("unicode_escape").decode()}):
                for fields in ({"next": wanted}, {}):
                    response = client.post(CHOOSE, {"language": "de", **fields}, headers=headers)
                    assert response.status_code == 302
                    assert not leaves(response.headers["Location"]), wanted

    @pytest.mark.once
    def test_is_a_post(self, client, db):
        assert client.get(f"{CHOOSE}?language=de").status_code == 405

    def test_mails_to_whoever_is_signed_in_speak_it_from_then_on(self, client, bob, alice, django_assert_num_queries):
        client.force_login(bob)
        client.get("/accounts/profile/")
        with django_assert_num_queries(1):
            self.choose(client, "de")
        self.choose(Client(), "es")
        assert dict(User.objects.values_list("username", "language")) == {"bob": "de", "alice": ""}

    def test_is_open_to_whoever_is_about_to_leave(self, client, bob, sign_in):
        User.objects.filter(pk=bob.pk).update(deletion_due_at=timezone.now() + timedelta(days=3))
        sign_in(client, bob)
        elapse(16 * 60, client)

        assert self.choose(client, "es", next="/accounts/keep/").headers["Location"] == "/accounts/keep/"
        assert client.get("/accounts/keep/").headers["Content-Language"] == "es"

    @pytest.mark.once
    def test_every_page_offers_it_in_the_words_of_each_language(self, client, bob):
        client.force_login(bob)
        for url in ("/no/such/page/", "/accounts/sessions/?a=1&b=2"):
            tags = Page(client.get(url, headers={"accept-language": "de"}).content.decode()).tags
            buttons = [found for tag, found in tags if tag == "button" and found.get("name") == "language"]
            assert [button["value"] for button in buttons] == ["en", "de", "es", "zh-hans"]
            assert [button["value"] for button in buttons if "aria-current" in button] == ["de"]
            assert all(button["lang"] == button["value"] for button in buttons)
            [back] = [found["value"] for tag, found in tags if found.get("name") == "next"]
            assert back == url

    @pytest.mark.once
    def test_a_form_that_was_filled_in_wrong_is_not_lost_for_it(self, client, bob):
        page = client.post("/accounts/login/", {"username": "bob", "password": "is it this?"}).content.decode()

        assert 'name="language"' not in page


@pytest.mark.once
class TestWhatIsForMachines:
    def test_is_the_same_in_every_language(self, db):
        for url in ("/healthz", "/readyz", "/metrics", "/.well-known/jwks.json", "/api/openapi.json", "/api/me"):
            response = Client().get(url, headers={"accept-language": "zh", "cookie": f"{COOKIE}=es"})
            varies = {name.strip() for name in response.headers.get("Vary", "").split(",")}
            assert not {"Accept-Language", "Cookie"} & varies, url
            assert "Content-Language" not in response.headers, url
            assert not response.cookies, url

    def test_an_error_of_the_api_is_told_in_english(self, client, bob):
        answers = {
            client.post(
                "/api/auth/login",
                {"username": "bob", "password": "is it this?"},
                content_type="application/json",
                headers={"accept-language": language},
            ).content
            for language in ("en", "de")
        }
        assert len(answers) == 1

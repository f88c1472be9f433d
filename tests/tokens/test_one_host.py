"""Two sites on one host, whose cookies know no ports, and a site below a path of it."""

import pytest
from django.conf import settings as live_settings
from django.urls import clear_script_prefix, set_script_prefix

from tests.conftest import PASSWORD
from tests.tokens.clock import left_behind
from tokens import cookies
from tokens.testing import Client

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

KINDS = ("access", "refresh", "reauth")


def sign_in(client, user, url="/log-in/"):
    response = client.post(url, {"username": user.username, "password": PASSWORD})
    assert response.content.decode() == user.username
    return response


class TestTwoSites:
    @pytest.fixture
    def at(self, settings):
        """`at(site)`: from now on requests arrive at that one."""

        def at(site, prefix=None):
            settings.TOKENS_ISSUER = f"https://{site}.example"
            settings.TOKENS_COOKIE_PREFIX = site if prefix is None else prefix

        return at

    def test_with_prefixes_neither_touches_the_cookies_of_the_other(self, at, bob, alice, name_on):
        browser = Client()
        for site, user in (("shop", bob), ("blog-", alice)):
            at(site)
            sign_in(browser, user)
        named = {f"__Host-{site}-{kind}" for site in ("shop", "blog") for kind in KINDS}
        assert browser.cookies.keys() - {live_settings.CSRF_COOKIE_NAME} == named
        at("shop")
        del browser.cookies["__Host-shop-access"]
        assert browser.get("/who/").cookies.keys() == {"__Host-shop-access", "__Host-shop-refresh"}
        assert name_on(browser) == "bob"
        assert browser.post("/log-out/").cookies.keys() == {f"__Host-shop-{kind}" for kind in KINDS}
        assert name_on(browser) == "nobody"
        at("blog-")
        assert name_on(browser) == "alice"

    def test_without_them_the_last_one_wins(self, at, bob, alice, name_on):
        browser = Client()
        for site, user in (("shop", bob), ("blog", alice)):
            at(site, prefix="")
            sign_in(browser, user)
        assert name_on(browser) == "alice"
        at("shop", prefix="")
        assert name_on(browser) == "nobody"

    def test_a_probe_has_the_prefix_too(self, at, bob):
        at("shop")
        assert [cookies.name_of(kind) for kind in ("probe", "probe-told")] == [
            "__Host-shop-probe",
            "__Host-shop-probe-told",
        ]


class TestBelowAPath:
    class Below(Client):
        """Behind a server that passes on what is below /shop, without that."""

        def generic(self, method, path, *arguments, **more):
            assert path.startswith("/shop/")
            return super().generic(method, path.removeprefix("/shop"), *arguments, **more)

    @pytest.fixture(autouse=True)
    def below(self, settings):
        settings.FORCE_SCRIPT_NAME, settings.TOKENS_ISSUER = "/shop", "https://example.org/shop"
        set_script_prefix("/shop/")  # as Django's handlers do, and that of its test client does not
        yield
        clear_script_prefix()

    def test_a_sign_in_is_for_the_whole_host_and_is_refreshed(self, bob):
        browser = self.Below()
        assert {morsel["path"] for morsel in sign_in(browser, bob, "/shop/log-in/").cookies.values()} == {"/"}
        del browser.cookies["__Host-access"]
        response = browser.get("/shop/who/")
        assert (response.content, len(response.cookies)) == (b"bob", 2)

    def test_redirects_stay_below_it(self, bob):
        browser = self.Below()
        response = browser.get("/shop/closed/")
        assert response.url == "/shop/log-in/?next=/shop/closed/"
        sign_in(browser, bob, "/shop/log-in/")
        old = left_behind(browser, url="/shop/who/")
        response = old.get("/shop/who/?a=1")
        assert (response.status_code, response.url) == (307, "/shop/who/?a=1")
        assert old.get(response.url).content == b"nobody"

    def test_neighbours_find_the_keys_there(self):
        told = self.Below().get("/shop/.well-known/openid-configuration").json()
        assert told["jwks_uri"] == "https://example.org/shop/jwks/"

"""The journeys of people in Chromium, to a real provider and back: npm's oidc-provider, over TLS."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyotp
import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.factors import totp
from accounts.models import Authenticator, Identity, User
from accounts.providers import client, id_tokens
from tests.conftest import PASSWORD
from tests.interop import service
from tests.ops.certificate import self_signed
from tests.providers.issuer import KEY, OTHER_KEY
from tests.providers.real import FOLDER, Provider
from tokens.models import RefreshToken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SESSIONS, SECURITY = reverse("sessions"), reverse("security")


@pytest.fixture(scope="module")
def _provider(tmp_path_factory, live_server) -> Iterator[Provider]:
    folder = service.installed(FOLDER, tmp_path_factory.mktemp("node") / "provider")
    certificate = self_signed(tmp_path_factory.mktemp("certificate"))
    provider = Provider(
        folder, certificate, f"{at(live_server)}{reverse('provider_callback', kwargs={'name': 'acme'})}"
    )
    yield provider
    provider.close()


@pytest.fixture
def provider(_provider, live_server, settings, monkeypatch) -> Iterator[Provider]:
    """Known here as `acme`, and its certificate by the variable that OpenSSL has for it."""
    if not _provider.runs:
        _provider.start("one", KEY)
    client.clear_cache()
    client._context.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", f"{_provider.environment['CERTIFICATE']}/fullchain.pem")
    settings.TOKENS_ISSUER = at(live_server)
    settings.PROVIDERS = [
        {
            "name": "acme",
            "issuer": _provider.issuer,
            "client_id": "us",
            "client_secret": "secret",
            "trusted_for_emails": True,
            "private_network": True,
        }
    ]
    yield _provider
    client._context.cache_clear()


@pytest.fixture
def browser_context_args(browser_context_args, live_server) -> dict[str, Any]:
    return {**browser_context_args, "base_url": at(live_server), "ignore_https_errors": True}


def at(live_server: Any) -> str:
    """The site's URL, which is on another site than the provider's on localhost."""
    return str(live_server.url).replace("localhost", "127.0.0.1")


def leave(page: Page) -> None:
    page.get_by_role("button", name="Sign in with Acme").click()


def sign_in_there(page: Page, name: str = "carol") -> None:
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("anything")
    page.get_by_role("button", name="Sign-in").click()


def consent(page: Page) -> None:
    page.get_by_role("button", name="Continue").click()


def come_from_there(page: Page) -> None:
    """Sign in with the provider, where the visitor is not known yet."""
    page.goto("/accounts/login/")
    leave(page)
    sign_in_there(page)
    consent(page)
    expect(page.get_by_role("heading", name="Hello, carol.")).to_be_visible()


def give_password(page: Page) -> None:
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page) -> None:
    page.goto("/")
    page.locator("form[action='/accounts/logout/'] button").first.evaluate("button => button.click()")
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


class TestSignIn:
    @pytest.mark.parametrize("response_mode", ["query", "form_post"])
    def test_a_visitor_signs_up_and_later_signs_in(self, page: Page, provider, settings, response_mode):
        settings.PROVIDERS[0]["response_mode"] = response_mode
        page.goto(f"/accounts/login/?next={SESSIONS}")
        leave(page)
        sign_in_there(page)
        consent(page)
        expect(page.get_by_text("with Acme")).to_be_visible()
        sign_out(page)
        page.goto(f"/accounts/login/?next={SESSIONS}")
        page.get_by_label("Keep me signed in on this device").check()
        with page.expect_request("**/callback/*") as answer:
            leave(page)
            page.wait_for_url(f"**{SESSIONS}")
        user = User.objects.get()
        assert (user.username, user.email) == ("carol", "carol@example.org") and user.email_verified_at
        assert [row.remember for row in RefreshToken.objects.order_by("created_at")] == [False, True]
        for again in (page.go_back, lambda: page.goto(answer.value.url)):
            again()
            expect(page.get_by_role("link", name="Sessions").first).to_be_visible()

    def test_whoever_cancels_reads_so_and_can_try_again(self, page, provider):
        page.goto("/accounts/login/")
        leave(page)
        page.get_by_role("link", name="Cancel").click()
        expect(page.get_by_text("You cancelled signing in with Acme.")).to_be_visible()
        leave(page)
        sign_in_there(page)
        consent(page)
        expect(page.get_by_role("heading", name="Hello, carol.")).to_be_visible()

    def test_each_of_two_tabs_comes_back_signed_in(self, page, provider):
        newer = page.context.new_page()
        for tab in (page, newer):
            tab.goto("/accounts/login/")
            leave(tab)
            expect(tab.get_by_placeholder("Enter any login")).to_be_visible()
        sign_in_there(page)
        consent(page)
        expect(page.get_by_role("heading", name="Hello, carol.")).to_be_visible()
        sign_in_there(newer)
        expect(newer.get_by_role("heading", name="Hello, carol.")).to_be_visible()

    def test_the_second_factor_is_asked_for_here(self, page, provider):
        come_from_there(page)
        sign_out(page)
        secret = pyotp.random_base32()
        Authenticator.objects.create(user=User.objects.get(), secret=totp.encrypt(secret))
        page.goto("/accounts/login/")
        leave(page)
        page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="Hello, carol.")).to_be_visible()


class TestAccount:
    def test_a_user_adds_a_provider_signs_in_with_it_and_removes_it(self, page, provider, alice):
        page.goto(f"/accounts/login/?next={SECURITY}")
        page.get_by_label("User name or email").fill("alice")
        give_password(page)
        page.get_by_role("button", name="Add Acme").click()
        sign_in_there(page, "a.liddell")
        consent(page)
        expect(page.get_by_text("You can now sign in with Acme.")).to_be_visible()
        sign_out(page)
        page.goto(f"/accounts/login/?next={SECURITY}")
        leave(page)
        page.get_by_role("link", name="Remove Acme").click()
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Removed.")).to_be_visible()
        assert not Identity.objects.exists()

    def test_the_owner_of_an_account_with_that_email_signs_in_to_it_once(self, page, provider, alice):
        page.goto(f"/accounts/login/?next={SESSIONS}")
        leave(page)
        sign_in_there(page, "alice")
        consent(page)
        expect(page.get_by_label("User name or email")).to_have_value("alice@example.org")
        give_password(page)
        expect(page.get_by_text("You can now sign in with Acme.")).to_be_visible()
        sign_out(page)
        page.goto(f"/accounts/login/?next={SESSIONS}")
        leave(page)
        expect(page.get_by_text("with Acme")).to_be_visible()

    def test_who_has_no_password_confirms_there_who_they_are(self, page, provider):
        come_from_there(page)
        RefreshToken.objects.update(authenticated_at="2020-01-01T00:00:00Z")
        page.goto(reverse("username_change"))
        page.get_by_label("User name").fill("caroline")
        page.get_by_role("button", name="Change user name").click()
        leave(page)
        sign_in_there(page)  # who is still signed in there is asked anew
        expect(page.get_by_role("heading", name="You've confirmed it's you")).to_be_visible()
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("Your user name is now caroline.")).to_be_visible()


class TestTrouble:
    @pytest.fixture
    def returning(self, page, provider, settings):
        """`returning(trouble)`: a visitor comes back from the provider, and then it has trouble."""
        settings.PROVIDERS[0]["response_mode"] = "form_post"

        def returning(trouble):
            def answer(route):
                if route.request.method == "POST":
                    trouble()
                route.continue_()

            page.route("**/callback/", answer)
            page.goto("/accounts/login/")
            leave(page)
            sign_in_there(page)
            consent(page)

        return returning

    def test_a_provider_that_is_down(self, page, provider, returning):
        returning(provider.kill)
        expect(page.get_by_text("Signing in with Acme didn't work.")).to_be_visible()
        client.clear_cache()
        page.goto("/accounts/login/")
        leave(page)
        expect(page.get_by_text("Signing in with Acme didn't work.")).to_be_visible()

    def test_a_provider_that_is_slow(self, page, provider, returning, monkeypatch):
        with ExitStack() as stack:

            def trouble():
                monkeypatch.setattr(client, "DEADLINE", 0.2)
                stack.enter_context(provider.still())

            returning(trouble)
            expect(page.get_by_text("Signing in with Acme didn't work.")).to_be_visible()

    def test_a_provider_that_has_other_keys_by_now(self, page, provider, monkeypatch):
        monkeypatch.setattr(id_tokens, "REFETCH_AFTER", 0)
        come_from_there(page)
        sign_out(page)
        provider.start("two", OTHER_KEY)
        come_from_there(page)

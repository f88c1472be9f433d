"""A receiver of `session_starting` decides whether a session begins, however the person signs in."""

import pytest
from django.conf import settings as live_settings
from django.contrib.auth import login

from tests.conftest import PASSWORD
from tokens import bearer
from tokens.core.exceptions import SignInHeld
from tokens.models import RefreshToken
from tokens.signals import session_starting
from tokens.testing import Client
from tokens.verification import verify_access

pytestmark = pytest.mark.urls("tests.tokens.urls")
FORM = {"username": "bob", "password": PASSWORD}


@pytest.fixture(autouse=True)
def tokens_alone(settings):
    """The site's own second factor, whose page these URLs do not have, stays out of it."""
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if not path.endswith("SecondFactorMiddleware")]


@pytest.fixture
def seen(settings):
    """The rows that are about to begin, of which bob's don't without a second factor. No site does more about it."""
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.startswith("accounts.")]
    rows = []

    def hold(row, **kwargs):
        rows.append(row)
        if row.user.username == "bob" and "mfa" not in row.amr.split():
            raise SignInHeld

    session_starting.connect(hold)
    yield rows
    session_starting.disconnect(hold)


@pytest.fixture
def tokens_of(bob):
    """Return what `login()` leaves on a request that has shown `amr`."""

    def sign_in(client, *amr, acr=""):
        requests = []

        def view(request):
            requests.append(request)
            request.tokens.amr, request.tokens.acr = amr, acr
            login(request, bob, live_settings.AUTHENTICATION_BACKENDS[0])

        client._pass(view)
        return requests[0].tokens

    return sign_in


class TestHeld:
    def test_nobody_is_signed_in_and_no_row_and_no_last_login_stay(self, bob, seen):
        client = Client()
        assert client.post("/log-in/", FORM).content == b"nobody"
        assert not RefreshToken.objects.exists()
        bob.refresh_from_db()
        assert bob.last_login is None
        assert [row.user for row in seen] == [bob]

    def test_whoever_was_signed_in_in_this_browser_is_not_any_more(self, alice, signed_in, bob, seen):
        browser = Client()
        browser.force_login(alice)
        browser.post("/log-in/", FORM)
        assert browser.get("/who/").content == b"nobody"
        assert not RefreshToken.objects.live().exists()

    def test_the_request_says_whose_sign_in_it_was(self, bob, seen, tokens_of):
        tokens = tokens_of(Client())
        assert (tokens.held, tokens.claims) == (bob, None)

    def test_an_app_gets_no_tokens(self, bob, seen, rf):
        with pytest.raises(SignInHeld):
            bearer.start(rf.post("/"), bob, ("pwd",))
        assert not RefreshToken.objects.exists()


class TestShown:
    def test_row_and_token_say_how(self, bob, seen, tokens_of):
        client = Client()
        tokens_of(client, "pwd", "otp", "mfa", acr="phr")
        row = RefreshToken.objects.get()
        assert (row.amr, row.acr) == ("pwd otp mfa", "phr")
        claims = verify_access(client.cookies["__Host-access"].value)
        assert (claims.amr, claims.acr) == (("pwd", "otp", "mfa"), "phr")
        assert claims.auth_time == int(row.authenticated_at.timestamp())

    def test_a_reauthentication_adds_to_it(self, bob, signed_in):
        browser = signed_in(bob)
        before = RefreshToken.objects.get()

        def again(request):
            request.user.get_username()
            request.tokens.row = RefreshToken.objects.get_live(str(before.pk), str(bob.pk))
            request.tokens.mark_reauthenticated(("otp", "mfa"))

        browser._pass(again)
        row = RefreshToken.objects.get()
        assert row.amr == "otp mfa" and row.authenticated_at > before.authenticated_at
        assert verify_access(browser.cookies["__Host-access"].value).amr == ("otp", "mfa")

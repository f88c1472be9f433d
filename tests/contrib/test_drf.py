"""Views of Django REST framework behind the tokens of this site: the cases of tests/accounts/test_api.py."""

import asyncio
from base64 import b64encode

import pytest
from django.db import InterfaceError, InternalError, OperationalError
from django.db.models.functions import Now
from django.test import AsyncClient

from tests.accounts.test_api import App, pass_time
from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, elapse
from tests.tokens.outage import gone
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.contrib.urls")]

BARE = 'Bearer realm="api"'
INVALID = f'{BARE}, error="invalid_token"'
REFRESH = f'{INVALID}, error_description="expired: please refresh"'


@pytest.fixture
def app(bob):
    return signed_in("bob")


def signed_in(name):
    app = App()
    assert app.sign_in(name).status_code == 200
    return app


def ask(url, token=None, *, method="GET", scheme="Bearer"):
    headers = {} if token is None else {"authorization": f"{scheme} {token}"}
    response = Client(enforce_csrf_checks=True).generic(method, f"/drf/{url}/", headers=headers)
    assert not response.cookies
    return response


def refused(response):
    """The challenge of a 401."""
    assert response.status_code == 401
    return response.headers["WWW-Authenticate"]


def ended_elsewhere():
    """Another process ends every sign-in: this one has not heard of it."""
    RefreshToken.objects.update(revoked_at=Now(), changed_at=Now(), reason=RefreshToken.Reason.ENDED)


class TestTokenAuthentication:
    def test_a_good_token_opens_every_kind_of_view(self, app):
        session = str(RefreshToken.objects.get().pk)
        for url in ("who", "guarded", "anybody", "anonymous"):
            assert ask(url, app.access).json() == {"name": "bob", "session": session}, url
        assert ask("function", app.access).json()["name"] == "bob"
        assert ask("notes", app.access).json() == {"name": "bob"}
        assert ask("who", app.access, method="POST", scheme="bEARER").json()["name"] == "bob"

    def test_a_good_token_costs_no_query_not_even_to_tell_the_staff(self, app, alice, django_assert_num_queries):
        admin = signed_in("alice")
        with django_assert_num_queries(0):
            assert ask("who", app.access).status_code == 200
            assert ask("staff", admin.access).json()["name"] == "alice"
            assert ask("staff", app.access).status_code == 403

    def test_nobody_is_asked_for_a_token_without_another_word(self, db):
        assert refused(ask("who")) == BARE
        assert ask("anybody").json() == {"name": "", "session": None}

    def test_an_expired_token_says_so(self, app):
        pass_time(app, EXPIRED)
        response = ask("who", app.access)
        assert refused(response) == REFRESH
        assert response.json() == {"detail": "expired: please refresh"}
        assert app.renew().status_code == 200
        assert ask("who", app.access).status_code == 200

    @pytest.mark.parametrize("token", ["garbage", "a b", "", "é"])
    def test_garbage_says_only_that_it_is_invalid(self, db, token):
        for url in ("who", "anybody"):
            response = ask(url, token)
            assert refused(response) == INVALID
            assert response.json() == {"detail": "invalid_token"}

    def test_so_does_a_refresh_token_and_the_log_says_what_is_wrong(self, app, caplog):
        caplog.set_level("INFO", logger="tokens")
        assert refused(ask("who", app.refresh)) == INVALID
        assert caplog.messages[-2:] == ["The token is of another type.", "Unauthorized: /drf/who/"]

    def test_another_scheme_is_no_token_and_another_class_of_the_view_has_its_turn(self, app):
        password = b64encode(f"bob:{PASSWORD}".encode()).decode()
        assert refused(ask("who", password, scheme="Basic")) == BARE
        assert ask("either-way", password, scheme="Basic").json() == {"name": "bob", "session": None}
        assert ask("either-way", app.access).json()["session"]

    def test_a_session_that_was_ended_elsewhere_is_invalid_within_the_lag(self, app, settings):
        assert ask("who", app.access).status_code == 200
        ended_elsewhere()
        assert ask("who", app.access).status_code == 200
        settings.TOKENS_REVOCATION_LAG = 0
        assert refused(ask("who", app.access)) == INVALID

    def test_an_outage_is_a_503_and_never_an_invalid_token(self, app, settings):
        settings.TOKENS_REVOCATION_LAG = settings.TOKENS_REVOCATION_GRACE = 0
        with gone():
            for url in ("who", "anybody", "guarded"):
                response = ask(url, app.access)
                assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
                assert response.json() == {"detail": "Please try again in a moment."}
        assert ask("who", app.access).status_code == 200

    @pytest.mark.parametrize("error", [OperationalError, InterfaceError, InternalError])
    def test_a_row_that_cannot_be_read_is_a_503_too(self, app, error):
        assert ask("who", app.access).status_code == 200
        with gone(error):
            assert ask("who", app.access).status_code == 200
            assert ask("guarded", app.access).json() == {"detail": "Please try again in a moment."}

    def test_it_needs_no_middleware(self, app, settings):
        settings.MIDDLEWARE = []
        assert ask("who", app.access).json()["name"] == "bob"

    def test_a_view_is_the_same_under_asgi(self, transactional_db, bob):
        headers = {"authorization": f"Bearer {signed_in('bob').access}"}
        response = asyncio.run(AsyncClient().get("/drf/who/", headers=headers))
        assert response.json()["name"] == "bob"


class TestGuardedTokenAuthentication:
    def test_reads_the_row_on_every_request(self, app, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert ask("guarded", app.access).status_code == 200

    def test_a_session_that_was_ended_elsewhere_is_invalid_at_once(self, app):
        ended_elsewhere()
        assert refused(ask("guarded", app.access)) == INVALID


class TestCookies:
    def test_alone_they_never_authenticate(self, client, bob, sign_in):
        sign_in(client, bob)
        for url in ("who", "guarded", "staff"):
            assert refused(client.get(f"/drf/{url}/")) == BARE
        assert client.post("/drf/anybody/").json() == {"name": "", "session": None}
        assert b"Hello, bob." in client.get("/").content

    def test_the_bearer_token_beside_them_counts(self, client, alice, bob, sign_in):
        sign_in(client, alice)
        elapse(EXPIRED, client)
        response = client.get("/drf/who/", headers={"authorization": f"Bearer {signed_in('bob').access}"})
        assert response.json()["name"] == "bob" and not response.cookies
        assert response.headers["Cache-Control"] == "private, no-store"
        assert b"Hello, alice." in client.get("/").content

    def test_a_view_for_anonymous_visitors_does_not_renew_them(self, client, bob, sign_in):
        sign_in(client, bob)
        elapse(EXPIRED, client)
        assert not client.get("/drf/anonymous/").cookies
        assert client.get("/drf/anybody/").cookies

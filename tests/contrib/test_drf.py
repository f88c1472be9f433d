"""Views of Django REST framework behind the tokens of this site: the cases of tests/accounts/test_api.py."""

import asyncio
from base64 import b64encode

import pytest
from django.db.models.functions import Now
from django.test import AsyncClient

from tests.accounts.test_api import EXPIRED, App, pass_time
from tests.conftest import PASSWORD
from tests.tokens.clock import elapse
from tests.tokens.outage import gone
from tokens.middleware import OUTAGES
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
        for url in ("who", "function", "notes", "guarded", "anybody", "cookieless"):
            assert ask(url, app.access).json()["name"] == "bob", url
        assert ask("who", app.access, method="POST").json()["name"] == "bob"

    def test_auth_is_the_sign_in(self, app):
        assert ask("who", app.access).json()["session"] == str(RefreshToken.objects.get().pk)

    def test_a_good_token_costs_no_query(self, app, django_assert_num_queries):
        for url in ("who", "throttled"):
            with django_assert_num_queries(0):
                assert ask(url, app.access).status_code == 200

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

    @pytest.mark.parametrize("token", ["garbage", "a.b.c", "a b", "", "é"])
    def test_garbage_says_only_that_it_is_invalid(self, db, token):
        for url in ("who", "anybody"):
            response = ask(url, token)
            assert refused(response) == INVALID
            assert response.json() == {"detail": "invalid_token"}

    def test_the_log_says_what_is_wrong(self, app, caplog):
        caplog.set_level("INFO", logger="tokens")
        ask("who", app.refresh)
        assert caplog.messages[-2:] == ["The token is of another type.", "Unauthorized: /drf/who/"]

    def test_a_refresh_token_and_a_damaged_one_are_invalid(self, app):
        for token in (app.refresh, app.access[:-2], app.access.upper()):
            assert refused(ask("who", token)) == INVALID

    @pytest.mark.parametrize("scheme", ["Basic", "Token", "bearertoken"])
    def test_another_scheme_is_no_token(self, app, scheme):
        assert refused(ask("who", app.access, scheme=scheme)) == BARE

    def test_the_schemes_name_has_no_case(self, app):
        assert ask("who", app.access, scheme="bEARER").status_code == 200

    def test_another_class_of_the_view_has_its_turn(self, app):
        password = b64encode(f"bob:{PASSWORD}".encode()).decode()
        assert ask("either-way", password, scheme="Basic").json() == {"name": "bob", "session": None}
        assert ask("either-way", app.access).json()["session"]

    def test_a_sign_in_that_was_ended_here_is_invalid_at_once(self, app):
        RefreshToken.objects.get().revoke(RefreshToken.Reason.ENDED)
        assert refused(ask("who", app.access)) == INVALID

    def test_one_that_was_ended_elsewhere_is_invalid_within_the_lag(self, app, settings):
        assert ask("who", app.access).status_code == 200
        ended_elsewhere()
        assert ask("who", app.access).status_code == 200
        settings.TOKENS_REVOCATION_LAG = 0
        assert refused(ask("who", app.access)) == INVALID

    def test_somebody_who_was_deactivated_is_invalid(self, app, bob):
        bob.is_active = False
        bob.save()
        assert refused(ask("who", app.access)) == INVALID

    def test_an_outage_is_a_503_and_never_an_invalid_token(self, app, settings):
        settings.TOKENS_REVOCATION_LAG = settings.TOKENS_REVOCATION_GRACE = 0
        with gone():
            for url in ("who", "anybody", "guarded"):
                response = ask(url, app.access)
                assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
                assert response.json() == {"detail": "Please try again in a moment."}
        assert ask("who", app.access).status_code == 200

    @pytest.mark.parametrize("error", OUTAGES)
    def test_a_row_that_cannot_be_read_is_a_503_too(self, app, error):
        assert ask("who", app.access).status_code == 200
        with gone(error):
            assert ask("who", app.access).status_code == 200
            assert ask("guarded", app.access).json() == {"detail": "Please try again in a moment."}


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
        assert b"Hello, alice." in client.get("/").content

    def test_a_view_that_is_cookieless_does_not_renew_them(self, client, bob, sign_in):
        sign_in(client, bob)
        elapse(EXPIRED, client)
        assert not client.get("/drf/cookieless/").cookies
        assert client.get("/drf/anybody/").cookies

    def test_what_is_for_one_person_is_stored_nowhere(self, app):
        assert ask("who", app.access).headers["Cache-Control"] == "private, no-store"


class TestGuardedTokenAuthentication:
    def test_reads_the_row_on_every_request(self, app, django_assert_num_queries):
        with django_assert_num_queries(1):
            assert ask("guarded", app.access).status_code == 200

    def test_a_sign_in_that_was_ended_elsewhere_is_invalid_at_once(self, app):
        ended_elsewhere()
        assert refused(ask("guarded", app.access)) == INVALID
        assert ask("who", app.access).status_code == 200  # which has not heard of it yet


class TestWhatViewsAskOfIt:
    def test_the_staff_is_the_staff_without_a_query(self, app, alice, django_assert_num_queries):
        admin = signed_in("alice")
        with django_assert_num_queries(0):
            assert ask("staff", admin.access).json()["name"] == "alice"
            assert ask("staff", app.access).status_code == 403

    def test_throttles_count_each_person(self, app, alice):
        codes = [ask("throttled", app.access).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        assert ask("throttled", signed_in("alice").access).status_code == 200

    def test_it_needs_no_middleware(self, app, settings):
        settings.MIDDLEWARE = []
        assert ask("who", app.access).json()["name"] == "bob"

    def test_nor_a_place_among_the_apps(self, settings):
        assert not [app for app in settings.INSTALLED_APPS if "rest_framework" in app]


def test_a_view_is_the_same_under_asgi(transactional_db, bob):
    headers = {"authorization": f"Bearer {signed_in('bob').access}"}
    response = asyncio.run(AsyncClient().get("/drf/who/", headers=headers))
    assert response.json()["name"] == "bob"

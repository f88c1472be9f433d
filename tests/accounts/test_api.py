"""The API for clients without a browser, by the URLs and the headers that they use."""

import json

import pytest
from django.test import Client

from accounts.models import SecurityEvent
from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, age, elapse, jar
from tests.tokens.outage import gone
from tokens import verification
from tokens.core import jwt
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db

Reason = RefreshToken.Reason


class App:
    """A phone app: keeps a pair of tokens, and neither sends nor keeps cookies."""

    def __init__(self):
        self.access = self.refresh = ""

    def call(self, method, url, token="", body=None, **headers):
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        response = Client(enforce_csrf_checks=True).generic(method, f"/api/{url}", headers=headers, **data)
        assert not response.cookies
        assert "no-store" in response.headers["Cache-Control"]
        assert "Authorization" in response.headers["Vary"]
        return response

    def sign_in(self, name, password=PASSWORD):
        return self._keep(self.call("POST", "auth/login", body={"username": name, "password": password}))

    def renew(self):
        return self._keep(self.call("POST", "auth/refresh", self.refresh))

    def get(self, url):
        return self.call("GET", url, self.access)

    def _keep(self, response):
        if response.status_code == 200:
            pair = response.json()
            assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
            assert pair["token_type"] == "bearer"
            assert response.headers["Pragma"] == "no-cache"  # RFC 6749 §5.1
            self.access, self.refresh = pair["access_token"], pair["refresh_token"]
        return response


@pytest.fixture
def app(bob):
    app = App()
    assert app.sign_in("bob").status_code == 200
    return app


def pass_time(app, seconds):
    """Time passes for the table, and for the two tokens that the app holds."""

    class Jar:
        cookies = Client().cookies

    held = Jar()
    held.cookies["__Host-access"], held.cookies["__Host-refresh"] = app.access, app.refresh
    elapse(seconds)
    age(held, seconds)
    app.access, app.refresh = held.cookies["__Host-access"].value, held.cookies["__Host-refresh"].value


def challenge(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    return response.headers["WWW-Authenticate"]


class TestLogin:
    @pytest.mark.parametrize("name", ["bob", "bob@example.org"])
    def test_gives_a_pair_that_opens_the_api(self, bob, name):
        app = App()
        assert app.sign_in(name).status_code == 200
        assert app.get("me").json()["username"] == "bob"

    def test_is_a_session_like_any_other(self, app, client, bob, sign_in):
        row = RefreshToken.objects.get()
        assert (row.user, row.method, row.remember, row.is_app) == (bob, RefreshToken.Method.API, True, True)
        assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.SIGNED_IN, session_id=row.pk).exists()
        sign_in(client, bob)
        assert row.pk in {session.row.pk for session in client.get("/accounts/sessions/").context["live"]}

    def test_answers_alike_whatever_is_wrong(self, bob, django_user_model):
        django_user_model.objects.create_user("inactive", "inactive@example.org", PASSWORD, is_active=False)
        answers = set()
        for name, password in (("bob", "wrong"), ("nobody", PASSWORD), ("inactive", "wrong")):
            response = App().sign_in(name, password)
            answers.add((response.status_code, challenge(response), response.content))
        [(status, told, _)] = answers
        assert status == 401 and told.startswith('Bearer realm="sojourn", error_description="')
        closed = App().sign_in("inactive")
        assert challenge(closed).startswith('Bearer realm="sojourn", error_description="')
        assert (closed.status_code, closed.json()["title"]) == (401, "account_closed")

    @pytest.mark.parametrize(
        "body",
        [
            *("no json", "[]", '{"username": "bob"}', '{"username": 1, "password": "x"}', "[" * 9999),
            *('{"username": "b\\u0000b", "password": "x"}', '{"username": "bob", "password": "\\ud83d"}'),
            '{"username": "zoë", "password": "x"}'.encode("latin-1"),
        ],
    )
    def test_says_what_is_wrong_with_a_body(self, db, body):
        response = Client().post("/api/auth/login", body, content_type="application/json")
        assert (response.status_code, response.json()["title"]) == (400, "bad_request")

    def test_takes_any_character(self, django_user_model, db):
        django_user_model.objects.create_user("owl", "owl@example.org", "\U0001f989" * 9)
        body = json.dumps({"username": "owl", "password": "\U0001f989" * 9})
        assert r"\ud83e\udd89" in body
        assert Client().post("/api/auth/login", body, content_type="application/json").status_code == 200

    def test_takes_json_alone_and_not_too_much_of_it(self, db):
        assert Client().post("/api/auth/login", {"username": "bob", "password": PASSWORD}).status_code == 415
        for size in (17_000, 3_000_000):  # and more than Django reads of any body
            response = Client().post("/api/auth/login", " " * size, content_type="application/json")
            assert (response.status_code, response.json()["title"]) == (413, "content_too_large")

    def test_takes_utf_8_alone_whatever_a_header_says(self, db):
        body = json.dumps({"username": "zoë", "password": PASSWORD}, ensure_ascii=False).encode("utf-16")
        response = Client().generic("POST", "/api/auth/login", body, content_type="application/json; charset=utf-16")
        assert (response.status_code, response.json()["title"]) == (400, "bad_request")


class TestRefresh:
    def test_gives_a_new_pair_which_stays_while_it_is_young_and_the_old_one_is_good_for_a_retry(self, app):
        pass_time(app, EXPIRED)
        before = app.refresh
        assert app.renew().status_code == 200
        young = app.refresh
        assert app.renew().status_code == 200
        assert before != young == app.refresh
        app.refresh = before
        assert app.renew().status_code == 200

    def test_a_stale_token_is_reuse_at_once(self, app):
        old = app.refresh
        for _ in range(2):
            pass_time(app, EXPIRED)
            assert app.renew().status_code == 200
        response = app.call("POST", "auth/refresh", old)
        assert (response.status_code, challenge(response)) == (401, 'Bearer realm="sojourn", error="invalid_token"')
        assert RefreshToken.objects.get().reason == Reason.REUSED
        assert app.get("me").status_code == 401

    def test_one_of_a_browser_is_refused_and_a_stale_one_is_no_reuse(self, client, bob, sign_in):
        sign_in(client, bob)
        first = jar(client)["refresh"]
        for _ in range(3):
            response = App().call("POST", "auth/refresh", first)
            assert (response.status_code, challenge(response)) == (401, 'Bearer realm="sojourn", error="invalid_token"')
            elapse(EXPIRED, client)
            assert client.get("/accounts/sessions/").status_code == 200

    def test_in_a_cookie_it_is_refused_and_a_stale_one_is_no_reuse(self, app):
        browser = Client()
        browser.cookies["__Host-refresh"] = app.refresh
        for _ in range(3):
            response = browser.get("/accounts/sessions/")
            assert response.status_code == 302 and not jar(browser).get("access")
            pass_time(app, EXPIRED)
            assert app.renew().status_code == 200

    def test_an_access_token_is_none(self, app):
        assert app.call("POST", "auth/refresh", app.access).status_code == 401
        assert app.call("GET", "me", app.refresh).status_code == 401


class TestErrors:
    def test_an_expired_token_says_so(self, app):
        pass_time(app, EXPIRED)
        expected = 'Bearer realm="sojourn", error="invalid_token", error_description="expired: please refresh"'
        assert challenge(app.get("me")) == expected

    def test_an_expired_refresh_token_is_not_to_be_refreshed(self, app):
        pass_time(app, 8 * 24 * 3600)
        assert challenge(app.renew()) == 'Bearer realm="sojourn", error="invalid_token"'

    def test_any_other_says_only_that_it_is_invalid_and_none_says_nothing(self, app):
        RefreshToken.objects.get().revoke(Reason.ENDED)
        for token in (app.access, app.access[:-2], "garbage", "a.b.c"):
            assert challenge(app.call("GET", "me", token)) == 'Bearer realm="sojourn", error="invalid_token"'
        assert challenge(App().get("me")) == 'Bearer realm="sojourn"'
        assert App().get("public").status_code == 200

    @pytest.mark.parametrize("scheme", ["Basic", "bearertoken"])
    def test_another_scheme_is_no_token_and_neither_is_a_cookie(self, app, client, bob, sign_in, scheme):
        sign_in(client, bob)
        response = client.get("/api/me", headers={"authorization": f"{scheme} {app.access}"})
        assert response.status_code == 401 and not response.cookies

    def test_another_method_or_address_says_so_and_whoever_answers_get_answers_head(self, app):
        refused, lost = App().call("DELETE", "me"), App().get("nowhere")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
        assert (lost.status_code, lost.headers["Content-Type"]) == (404, "application/problem+json")
        head = app.call("HEAD", "me", app.access)
        assert (head.status_code, head.content) == (200, b"")

    def test_an_outage_is_a_503(self, app):
        pass_time(app, EXPIRED)
        with gone():
            response = app.call("POST", "auth/refresh", app.refresh)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


class TestSessions:
    def test_are_ones_own_and_ended_one_by_one(self, app, alice):
        other, stranger = App(), App()
        other.sign_in("bob")
        stranger.sign_in("alice")
        this, that = app.get("sessions").json()["sessions"]
        assert (this["current"], that["current"], this["opened"]) == (True, False, "api")
        assert app.call("DELETE", f"sessions/{that['id']}", app.access).status_code == 204
        ended = SecurityEvent.objects.filter(kind=SecurityEvent.Kind.SESSION_ENDED)
        assert str(ended.get().session_id) == that["id"]
        hers = RefreshToken.objects.get(user=alice).pk
        assert app.call("DELETE", f"sessions/{hers}", app.access).status_code == 404
        assert [each.get("me").status_code for each in (app, other, stranger)] == [200, 401, 200]

    def test_everywhere(self, app):
        other = App()
        other.sign_in("bob")
        assert app.call("POST", "auth/logout-everywhere", app.access).json() == {"ended": 2}
        assert [app.get("me").status_code, other.get("me").status_code] == [401, 401]

    def test_a_browsers_access_token_reads_and_ends_no_other(self, app, client, bob, sign_in):
        sign_in(client, bob)
        token = jar(client)["access"]
        assert [App().call("GET", what, token).status_code for what in ("me", "sessions")] == [200, 200]
        theirs = RefreshToken.objects.get(is_app=True).pk
        for method, what in (("DELETE", f"sessions/{theirs}"), ("POST", "auth/logout-everywhere")):
            response = App().call(method, what, token)
            assert (response.status_code, response.json()["title"]) == (403, "forbidden")
        assert RefreshToken.objects.live().count() == 2

    @pytest.mark.parametrize("kind", ["access", "refresh"])
    def test_logout_ends_by_either_token_however_old(self, app, kind):
        pass_time(app, EXPIRED)
        assert app.call("POST", "auth/logout", getattr(app, kind)).status_code == 204
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT
        assert app.renew().status_code == 401


def test_the_dashboard_is_for_the_staff_and_a_role_that_was_taken_counts_at_once(app, alice):
    assert app.get("admin/dashboard").status_code == 403
    admin = App()
    admin.sign_in("alice")
    assert admin.get("admin/dashboard").json() == {"users": 2, "live_sessions": 2}
    type(alice).objects.filter(pk=alice.pk).update(is_staff=False)
    assert admin.get("admin/dashboard").status_code == 403


def test_a_pair_is_what_the_cookies_are(app):
    """Neighbours and the site verify the same tokens."""
    claims = verification.verify_access(app.access)
    assert isinstance(claims, jwt.AccessClaims) and not claims.new
    assert verification.verify_refresh(app.refresh).remember

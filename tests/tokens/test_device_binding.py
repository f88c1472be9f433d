"""Sessions that are bound to a key of their device: a copy of the jar is worth nothing once the mark is over."""

from datetime import timedelta
from time import time

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.accounts.reauthenticating import answer, expire_reauthentication
from tests.conftest import PASSWORD
from tests.tokens.clock import EXPIRED, copy_of, elapse, jar
from tests.tokens.device import Device
from tokens import bearer, cookies, verification
from tokens.binding import challenges, marks
from tokens.core import proofs
from tokens.core.exceptions import InvalidToken
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

LIFETIME = 600


@pytest.fixture(autouse=True)
def _on(settings):
    settings.TOKENS_BOUND_LIFETIME = LIFETIME
    settings.SECURE_PROXY_SSL_HEADER = ("SERVER_NAME", "testserver")  # over TLS


def sign_in(user, **fields):
    client = Client()
    response = client.post("/log-in/", {"username": user.username, "password": PASSWORD, **fields})
    assert response.content.decode() == user.username
    return client, response


@pytest.fixture(params=["ES256", "RS256"])
def alg(request):
    return request.param


@pytest.fixture
def bound(bob):
    """A device that is bound, as its `client` has just signed in."""
    return bind(bob)


@pytest.fixture
def name_on():
    """`name_on(client)`: whom the next page takes the visitor for, after the redirects and reloads of a browser."""

    def name_on(client):
        response = client.get("/who/", follow=True)
        if "Refresh" in response.headers:
            response = client.get("/who/", follow=True)
        return response.content.decode()

    return name_on


def bind(user, alg="ES256"):
    client, response = sign_in(user)
    return Device(client, alg).bind(response)


def mark_of(client):
    return cookies.name_of("bound"), client.cookies.get(cookies.name_of("bound"))


def unmark(client):
    """The mark is over, so the browser no longer sends it."""
    del client.cookies[cookies.name_of("bound")]


def forwarded(device, seconds):
    """Time passes for the row, its tokens, its mark and the challenge that the device holds."""
    elapse(seconds, device.client)
    RefreshToken.objects.update(bound_proved_at=F("bound_proved_at") - timedelta(seconds=seconds))
    unmark(device.client)


class TestOffer:
    def test_only_the_response_that_starts_a_session_offers(self, bob):
        client, response = sign_in(bob)
        assert "Secure-Session-Registration" in response.headers
        elapse(EXPIRED, client)
        refreshed = client.get("/who/")
        assert cookies.name_of("refresh") in refreshed.cookies
        assert "Secure-Session-Registration" not in refreshed.headers

    @pytest.mark.urls("project.urls")
    def test_one_that_gives_a_reauthentication_offers_until_the_session_is_bound(self, bob):
        client = Client()
        client.force_login(bob)
        for bound in (False, True):
            expire_reauthentication()
            response = answer(client, client.post("/accounts/export/"))
            assert cookies.name_of("reauth") in response.cookies
            assert ("Secure-Session-Registration" in response.headers) is not bound
            if not bound:
                Device(client).bind(response)

    def test_off_nothing_is_offered_and_nothing_accepted(self, bob, settings, name_on):
        device = bind(bob)
        settings.TOKENS_BOUND_LIFETIME = 0
        _, response = sign_in(bob)
        assert "Secure-Session-Registration" not in response.headers
        assert device.refresh().status_code == 401
        forwarded(device, EXPIRED)
        assert name_on(device.client) == "bob"

    def test_a_change_of_password_starts_unbound_and_offers_anew(self, bound):
        response = bound.client.post("/change-password/", {"password": "another long password"})
        assert response.content == b"changed"
        assert bound.refresh().status_code == 401
        bound.challenge = ""
        bound.bind(response)
        assert RefreshToken.objects.live().get().bound_proved_at

    def test_a_session_that_cannot_be_bound_costs_nothing(self, bob, name_on, django_assert_num_queries):
        """The browser takes no notice of the offer."""
        client, _ = sign_in(bob)
        client.get("/who/")
        with django_assert_num_queries(0):
            assert name_on(client) == "bob"
        elapse(EXPIRED, client)
        assert name_on(client) == "bob"
        claims = verification.verify_access(jar(client)["access"])
        assert claims.exp - claims.iat == 15 * 60


class TestRegistration:
    def test_what_the_browser_is_told(self, bob, alg):
        client, response = sign_in(bob)
        device = Device(client, alg)
        answer = device.register(response)
        row = RefreshToken.objects.get()
        assert answer.json() == {
            "session_identifier": str(row.pk),
            "refresh_url": "/device-binding/refresh",
            "scope": {
                "include_site": False,
                "scope_specification": [
                    {"type": "exclude", "domain": "*", "path": path}
                    for path in (
                        "/static/",
                        "/machine/",
                        "/jwks/",
                        "/.well-known/openid-configuration",
                        "/.well-known/status-list",
                    )
                ],
            },
            "credentials": [
                {
                    "type": "cookie",
                    "name": "__Host-bound",
                    "attributes": "Path=/; Secure; HttpOnly; SameSite=Lax",
                }
            ],
            "allowed_refresh_initiators": ["*"],
        }
        assert answer.cookies.keys() == {"__Host-bound"}
        assert answer.cookies["__Host-bound"]["max-age"] == marks.FIRST
        assert "no-store" in answer.headers["Cache-Control"]
        assert proofs.read_refresh(device.proof("text"), row.bound_key).challenge == "text"
        assert device.refresh().status_code == 200  # with the challenge that came along: one POST

    def test_whose_response_is_lost_with_the_key_signs_nobody_out(self, bob, name_on):
        client, response = sign_in(bob)
        lost, device = Device(Client()), Device(client)
        assert lost.register(response).status_code == 200
        assert name_on(client) == "bob"
        elapse(EXPIRED, client)
        assert name_on(client) == "bob"
        claims = verification.verify_access(jar(client)["access"])
        assert claims.exp - claims.iat <= LIFETIME
        for bound in (False, True):  # it is offered again, at a reauthentication
            response.headers["Secure-Session-Registration"] = challenges.offer(RefreshToken.objects.get())
            if not bound:
                device.bind(response)
            assert lost.register(response).status_code == 401
        assert lost.refresh().status_code == 403
        assert device.refresh().status_code == 200

    def test_counts_from_the_first_proof_on(self, bob, name_on):
        client, response = sign_in(bob)
        device, thief = Device(client), copy_of(client)
        assert device.register(response).status_code == 200
        del thief.cookies[cookies.name_of("access")]
        assert name_on(thief) == "bob"
        assert device.refresh().status_code == 200
        del thief.cookies[cookies.name_of("access")]
        assert name_on(thief) == "nobody"

    def test_a_second_is_refused_and_the_first_key_stays(self, bob):
        client, response = sign_in(bob)
        device, other = Device(client), Device(Client())
        assert [each.register(response).status_code for each in (device, other, device)] == [200, 401, 401]
        assert device.refresh().status_code == 200

    def test_of_a_session_that_has_ended(self, bob):
        client, response = sign_in(bob)
        RefreshToken.objects.get().revoke(RefreshToken.Reason.ENDED)
        assert Device(client).register(response).status_code == 401

    def test_late(self, bob, monkeypatch):
        client, response = sign_in(bob)
        monkeypatch.setattr(challenges, "LIFETIME", -1)
        assert Device(client).register(response).status_code == 401
        assert RefreshToken.objects.get().bound_key == ""

    def test_neither_challenge_is_good_for_the_other(self, bob):
        client, response = sign_in(bob)
        device = Device(client)
        offered = response.headers["Secure-Session-Registration"]
        assert device.register(response).status_code == 200
        row = RefreshToken.objects.get()
        assert device.refresh(offered.rpartition('challenge="')[2].rstrip('"')).status_code == 403
        with pytest.raises(InvalidToken):
            challenges.registered(challenges.following(row).split('"')[1])


class TestRefresh:
    def test_each_answer_has_the_next_challenge(self, bob, alg):
        device = bind(bob, alg)
        seen = {device.challenge}
        for _ in range(3):
            unmark(device.client)
            assert device.refresh().status_code == 200
            assert mark_of(device.client)[1]
            seen.add(device.challenge)
        assert len(seen) == 4
        proved, began = RefreshToken.objects.values_list("bound_proved_at", "bound_at").get()
        assert proved > began

    def test_without_a_proof_it_is_asked_for_one(self, bound):
        """As after a restart of the browser, which has forgotten the challenge."""
        answer = bound.post(bound.url, id=bound.session)
        assert (answer.status_code, answer.cookies.keys()) == (403, set())
        assert bound.refresh().status_code == 200

    def test_a_proof_counts_once(self, bound):
        used = bound.challenge
        assert bound.refresh().status_code == 200
        answer = bound.refresh(used)
        assert (answer.status_code, answer.cookies.keys()) == (403, set())
        assert bound.refresh().status_code == 200

    def test_a_challenge_is_later_than_the_last_proof_whatever_the_clock_says(self, bound):
        RefreshToken.objects.update(bound_proved_at=timezone.now() + timedelta(seconds=50))
        assert [bound.refresh().status_code for _ in range(3)] == [403, 200, 200]

    def test_a_late_one(self, bound, monkeypatch):
        monkeypatch.setattr(challenges, "LIFETIME", -LIFETIME - 1)
        assert bound.refresh().status_code == 403

    def test_another_key_and_another_row(self, bound, alice):
        thief, other = Device(Client()), bind(alice)
        thief.url, thief.session = bound.url, bound.session
        assert thief.refresh(bound.challenge).status_code == 403
        assert bound.post(bound.url, bound.proof(other.challenge), id=bound.session).status_code == 403
        assert other.refresh(bound.challenge).status_code == 403
        assert other.post(other.url, other.proof(bound.challenge), id=bound.session).status_code == 403
        assert bound.refresh().status_code == 200

    def test_of_no_live_bound_session_the_key_is_forgotten(self, bound, alice):
        sign_in(alice)
        unbound = RefreshToken.objects.get(user=alice)
        for id in (str(unbound.pk), "12345678-1234-5678-1234-567812345678", "nonsense", None):
            assert bound.post(bound.url, bound.proof(bound.challenge), id=id).status_code == 401
        bound.client.post("/log-out/")
        assert bound.refresh().status_code == 401


class TestRule:
    def test_a_refresh_token_beside_a_mark(self, bound, name_on):
        forwarded(bound, EXPIRED)
        assert bound.refresh().status_code == 200
        assert name_on(bound.client) == "bob"
        _, mark = mark_of(bound.client)
        claims = verification.verify_access(jar(bound.client)["access"])
        assert claims.exp == marks.good_until(mark.value, bound.session) <= time() + LIFETIME

    def test_costs_no_query_more(self, bound, alice):
        unbound, _ = sign_in(alice)
        queries = {}
        elapse(EXPIRED, unbound, bound.client)
        for client in (unbound, bound.client):
            with CaptureQueriesContext(connection) as captured:
                client.get("/who/")
            queries[client] = len(captured)
        assert queries[bound.client] == queries[unbound] > 0

    def test_without_one_it_is_nobodys_and_the_cookies_stay(self, bound, name_on):
        forwarded(bound, EXPIRED)
        bound.client.get("/who/")
        response = bound.client.get("/who/")
        assert (response.content, response.cookies.keys()) == (b"nobody", set())
        assert bound.refresh().status_code == 200
        assert name_on(bound.client) == "bob"

    @pytest.mark.parametrize("mark", ["over", "of another row", "forged"])
    def test_beside_a_bad_one(self, bound, alice, name_on, mark):
        sid, other = bound.session, bind(alice)
        good = int(time()) + LIFETIME
        values = {
            "over": marks.sign(sid, int(time())),
            "of another row": marks.sign(other.session, good),
            "forged": f"{sid}.{good}:{marks.sign(sid, good - 1).rpartition(':')[2]}",
        }
        forwarded(bound, EXPIRED)
        bound.client.cookies[cookies.name_of("bound")] = values[mark]
        assert name_on(bound.client) == "nobody"

    def test_a_mark_opens_nothing_by_itself(self, bound, name_on):
        alone = Client()
        name, mark = mark_of(bound.client)
        alone.cookies[name] = mark.value
        assert name_on(alone) == "nobody"

    def test_a_thief_without_the_key_neither_refreshes_nor_signs_the_owner_out(self, bound, name_on):
        """With a copy of the whole jar, whose refresh token is stale by the time the mark is over."""
        thief = copy_of(bound.client)
        for _ in range(2):  # the owner goes on, and confirms
            elapse(EXPIRED, bound.client)
            bound.client.cookies[cookies.name_of("bound")] = marks.sign(bound.session, int(time()) + LIFETIME)
            assert name_on(bound.client) == "bob"
        elapse(EXPIRED, bound.client, thief)
        unmark(thief)
        for _ in range(3):
            assert name_on(thief) == "nobody"
        bound.client.cookies[cookies.name_of("bound")] = marks.sign(bound.session, int(time()) + LIFETIME)
        assert name_on(bound.client) == "bob"
        assert RefreshToken.objects.get().probed_jti is None


class TestFallbacks:
    """What a browser gets that comes without a mark."""

    @pytest.fixture
    def late(self, bound):
        forwarded(bound, EXPIRED)
        return bound.client

    def test_a_page_loads_itself_anew_once(self, late):
        response = late.get("/closed/?page=2", headers={"Sec-Fetch-Mode": "navigate"})
        assert (response.status_code, response.content, response.headers["Refresh"]) == (200, b"", "0")
        assert response.headers["Cache-Control"] == "private, no-store"
        assert response.cookies.keys() == {"__Host-bound", "__Host-unproven"}
        response = late.get("/closed/?page=2")
        assert response.status_code == 302
        assert response.url.startswith("/log-in/")
        assert response.cookies.keys() == set()  # so that the browser that has the key goes on

    def test_a_form_is_sent_once_more_and_then_nobodys(self, late):
        response = late.post("/closed/?a=b", {"text": "long"})
        assert (response.status_code, response.url) == (307, "/closed/?a=b")
        response = late.post("/closed/?a=b", {"text": "long"})
        assert (response.status_code, response.url, response.cookies.keys()) == (302, "/log-in/", set())

    def test_a_form_that_comes_with_a_mark_the_second_time_is_processed(self, late, bound):
        late.post("/closed/", {"text": "long"})
        assert bound.refresh().status_code == 200
        assert late.post("/closed/", {"text": "long"}).content == b"bob POST long"

    @pytest.mark.parametrize("method", ["get", "post"])
    @pytest.mark.parametrize(("url", "answer"), [("/closed/", (401, b"")), ("/who/", (200, b"nobody"))])
    def test_a_script_gets_401_where_a_sign_in_is_required(self, late, method, url, answer):
        response = getattr(late, method)(url, headers={"Sec-Fetch-Mode": "cors"})
        assert (response.status_code, response.content) == answer

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_browser_that_cannot_prove_it_now_is_told_to_come_back(self, late, method):
        response = getattr(late, method)("/closed/", headers={"Secure-Session-Skipped": "quota_exceeded"})
        assert (response.status_code, response.cookies.keys()) == (503, set())

    def test_the_page_to_sign_in_is_shown(self, late):
        for headers in ({}, {"Secure-Session-Skipped": "quota_exceeded"}):
            assert "Refresh" not in late.get("/log-out/", headers=headers).headers

    def test_whoever_has_no_bound_session_meets_none_of_this(self, alice):
        client, _ = sign_in(alice)
        elapse(EXPIRED, client)
        response = client.get("/who/", headers={"Secure-Session-Skipped": "quota_exceeded"})
        assert (response.status_code, response.content) == (200, b"alice")


def test_a_bound_refresh_token_in_a_header(bound, rf):
    """Not even beside the mark."""
    request = rf.get("/", headers={"Cookie": f"__Host-bound={mark_of(bound.client)[1].value}"})
    with pytest.raises(InvalidToken):
        bearer.exchange(request, jar(bound.client)["refresh"])

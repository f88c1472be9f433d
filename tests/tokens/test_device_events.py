"""What is recorded of device-bound sessions: for the log, the metrics, and the site's own history."""

import pytest

from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse
from tests.tokens.device import Device
from tokens import cookies, signals
from tokens.binding import challenges
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

FETCH = {"Sec-Fetch-Mode": "cors"}


@pytest.fixture(autouse=True)
def _on(settings):
    settings.TOKENS_BOUND_LIFETIME = 600
    settings.SECURE_PROXY_SSL_HEADER = ("SERVER_NAME", "testserver")  # over TLS


@pytest.fixture
def offered(bob):
    """A browser's device, and the response that offered to bind the session that began."""
    device = Device(Client())
    return device, device.client.post("/log-in/", {"username": "bob", "password": PASSWORD})


@pytest.fixture
def device(offered):
    device, response = offered
    return device.bind(response)


@pytest.fixture
def thief(device):
    """A copy of the jar, when the mark and the access token are over."""
    thief = copy_of(device.client)
    elapse(16 * 60, thief)
    del thief.cookies[cookies.name_of("bound")]
    return thief


@pytest.fixture
def events():
    """The token events with their reasons, in order, but for those of refreshes."""
    taken = []

    def note(event, reason, **_):
        if event not in ("child", "kept"):
            taken.append((event, reason))

    signals.token_event.connect(note)
    yield taken
    signals.token_event.disconnect(note)


@pytest.fixture
def unproven():
    """The sessions of which the site was told that a browser did not prove the key."""
    taken = []

    def note(sid, **_):
        taken.append(sid)

    signals.device_unproven.connect(note)
    yield taken
    signals.device_unproven.disconnect(note)


class TestProofs:
    def test_registered_once_then_proven_once(self, offered, events):
        device, response = offered
        assert device.register(response).status_code == 200
        used = device.challenge
        device.refresh()
        device.refresh(used)
        device.register(response)
        assert events == [("registered", ""), ("proven", ""), ("proof_refused", "used"), ("proof_refused", "used")]

    def test_asking_for_a_challenge_is_no_refusal(self, device, events):
        assert device.post(device.url, id=device.session).status_code == 403
        assert events == []

    def test_refused_by_what_was_wrong(self, device, offered, events, monkeypatch):
        other = Device(device.client)
        other.url, other.session, other.challenge = device.url, device.session, device.challenge
        assert other.refresh().status_code == 403
        assert device.refresh("not ours").status_code == 403
        monkeypatch.setattr(challenges, "LIFETIME", -1)
        assert device.register(offered[1]).status_code == 401
        assert events == [("proof_refused", reason) for reason in ("key", "challenge", "challenge")]


class TestTokensWithoutAProof:
    def test_a_page_counts_only_once_it_was_asked_for_in_vain(self, device, thief, events, unproven):
        thief.get("/closed/")
        assert events == unproven == []
        thief.get("/closed/")
        assert (events, unproven) == ([("unproven", "")], [device.session])

    def test_a_form_a_script_and_a_sign_out_likewise(self, device, thief, unproven):
        for number, (method, url, headers) in enumerate(
            [("post", "/closed/", {}), ("get", "/closed/", FETCH), ("post", "/log-out/", {})]
        ):
            thief.cookies.pop(cookies.name_of("unproven"), None)
            getattr(thief, method)(url, headers=headers)
            assert len(unproven) == number
            thief.cookies[cookies.name_of("unproven")] = "1"
            getattr(thief, method)(url, headers=headers)
            assert unproven == [device.session] * (number + 1)

    def test_whoever_proves_it_in_between_is_not_meant(self, device, thief, events, unproven):
        device.client = thief
        thief.get("/closed/")
        assert device.refresh().status_code == 200
        assert thief.get("/closed/").content.startswith(b"bob")
        assert (events, unproven) == ([("proven", "")], [])

    @pytest.mark.parametrize(
        ("said", "reason"),
        [
            ("quota_exceeded", "quota_exceeded"),
            ('server_error;session_identifier="x"', "server_error"),
            ("unreachable ; x", "unreachable"),
            ("a word that anybody may send", "other"),
        ],
    )
    def test_a_browser_that_cannot_is_counted_by_its_reason(self, thief, events, unproven, said, reason):
        for _ in range(2):
            thief.get("/closed/", headers={"Secure-Session-Skipped": said})
        assert (events, unproven) == ([("proof_skipped", reason)] * 2, [])

    def test_of_a_session_that_is_not_bound_there_is_nothing_to_tell(self, bob, events, unproven):
        client = Client()
        client.force_login(bob)
        client.cookies[cookies.name_of("unproven")] = "1"
        for headers in ({}, {"Secure-Session-Skipped": "quota_exceeded"}):
            assert client.get("/closed/", headers=headers).content.startswith(b"bob")
        client.post("/log-out/")
        assert events == unproven == []
        assert not RefreshToken.objects.live().exists()

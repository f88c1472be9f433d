"""The redirect that tells a late browser from an old copy of its jar."""

import pytest
from django.test import RequestFactory

from tests.tokens.clock import EXPIRED, copy_of, elapse, jar, left_behind
from tokens import probe, signals
from tokens.events import MESSAGES, TokenEvent
from tokens.models import MAX_PROBES, RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.urls("tests.tokens.urls")

Reason = RefreshToken.Reason
PROBE = "__Host-probe"
TOLD = "__Host-probe-told"


@pytest.fixture
def events():
    """The outcomes of the rule, in order."""
    taken = []

    def note(event, **_):
        taken.append(event)

    signals.token_event.connect(note)
    yield taken
    signals.token_event.disconnect(note)


@pytest.fixture
def told():
    """What the site is told of probes, in order."""
    sent = []

    def note(signal, **_):
        sent.append("sent" if signal is signals.probe_sent else "answered")

    for signal in (signals.probe_sent, signals.probe_answered):
        signal.connect(note)
    yield sent
    for signal in (signals.probe_sent, signals.probe_answered):
        signal.disconnect(note)


@pytest.fixture
def stale(bob, signed_in):
    """A browser that has moved on, and an old copy of its jar."""
    browser = signed_in(bob)
    old = left_behind(browser, url="/who/")
    return browser, old


class TestResponse:
    def test_it_leads_to_no_other_site_and_is_for_no_cache(self):
        request = RequestFactory().get("/", PATH_INFO="//evil.example/who/")
        response = probe.response(request, probe.Probe("sid", "jti"))
        assert response.headers["Location"] == "/%2Fevil.example/who/"
        assert response.headers["Cache-Control"] == "private, no-store"


class TestASentProbe:
    @pytest.mark.parametrize("method", ["get", "post"])
    def test_sends_any_method_back_to_the_same_url(self, stale, method):
        _, old = stale
        response = getattr(old, method)("/closed/?a=1&b=%2F%2Fevil.example")
        assert response.status_code == 307
        assert response.headers["Location"] == "/closed/?a=1&b=%2F%2Fevil.example"
        assert "Cookie" in response.headers["Vary"]

    def test_sets_short_cookies_runs_no_view_and_ends_nothing(self, stale):
        _, old = stale
        response = old.get("/boom/")
        assert response.status_code == 307
        assert response.cookies.keys() == {PROBE, TOLD}
        for morsel in response.cookies.values():
            assert (morsel["secure"], morsel["httponly"], morsel["samesite"]) == (True, True, "Lax")
            assert (morsel["path"], morsel["max-age"]) == ("/", probe.LIFETIME)
        assert RefreshToken.objects.get().is_live

    def test_is_told_once_for_a_token(self, stale, told, events):
        _, old = stale
        for _ in range(3):
            copy_of(old).get("/who/")
        assert told == ["sent"]
        assert events == [TokenEvent.PROBED] * 3
        assert RefreshToken.objects.get().probe_count == 3

    def test_goes_round_in_no_circle_with_a_client_that_keeps_no_cookies(self, stale):
        _, old = stale
        answers = [copy_of(old).get("/who/").status_code for _ in range(MAX_PROBES + 2)]
        assert answers == [307] * MAX_PROBES + [200, 200]
        assert RefreshToken.objects.get().is_live

    def test_is_not_sent_where_nobody_can_be_sent_back_nor_by_a_post_that_logs_in_or_out(self, stale):
        _, old = stale
        assert old.get("/nowhere/").status_code == 404
        assert old.post("/log-in/", {"username": "bob", "password": "wrong"}).status_code == 401
        assert old.post("/log-out/").status_code == 200

    def test_is_sent_by_a_get_of_the_log_in_page(self, stale):
        _, old = stale
        assert old.get("/log-in/").status_code == 307

    def test_is_not_sent_for_a_row_that_is_over(self, stale, events):
        _, old = stale
        RefreshToken.objects.get().revoke(Reason.ENDED)
        response = old.get("/who/")
        assert response.content == b"nobody" and not response.cookies
        assert events == [TokenEvent.DEAD]


class TestAnAnsweredProbe:
    def come_late(self, browser, old, url="/who/", **data):
        """The request waited, while the same browser moved on: its jar is the new one when it comes back."""
        response = old.post(url, data) if data else old.get(url)
        assert response.status_code == 307
        browser.cookies.update(response.cookies)
        return browser.post(url, data) if data else browser.get(url)

    def test_is_an_ordinary_page_and_nothing_happened(self, stale, told, events, name_on):
        browser, old = stale
        response = self.come_late(browser, old)
        assert response.content == b"bob"
        assert told == ["sent", "answered"]
        assert events == [TokenEvent.PROBED, TokenEvent.ANSWERED]
        assert {response.cookies[name]["max-age"] for name in (PROBE, TOLD)} == {0}
        row = RefreshToken.objects.get()
        assert (row.is_live, row.probed_jti, row.probe_count) == (True, None, 0)
        assert name_on(browser) == "bob"

    def test_has_the_form_processed_once(self, stale):
        browser, old = stale
        assert self.come_late(browser, old, "/closed/", text="hello").content == b"bob POST hello"

    def test_answers_by_a_refresh_too(self, stale, events):
        browser, old = stale
        del browser.cookies["__Host-access"]
        assert self.come_late(browser, old).content == b"bob"
        assert events == [TokenEvent.PROBED, TokenEvent.KEPT, TokenEvent.ANSWERED]

    def test_lets_the_token_be_probed_and_told_anew(self, stale, told):
        browser, old = stale
        self.come_late(browser, copy_of(old))
        old.get("/who/")
        assert told == ["sent", "answered", "sent"]

    def test_by_the_sign_in_of_somebody_else_answers_nothing(self, stale, alice, signed_in, told):
        _, old = stale
        stranger = signed_in(alice)
        response = self.come_late(stranger, old)
        assert response.content == b"alice"
        assert told == ["sent"]
        assert str(RefreshToken.objects.get(user__username="bob").probed_jti)


class TestADeclinedProbe:
    def test_with_the_same_token_is_reuse_and_the_request_goes_on_as_an_anonymous_one(self, stale, events):
        _, old = stale
        response = old.get("/who/", follow=True)
        assert (response.content, len(response.redirect_chain)) == (b"nobody", 1)
        assert events == [TokenEvent.PROBED, TokenEvent.REUSED]
        assert RefreshToken.objects.get().reason == Reason.REUSED
        assert response.cookies[PROBE]["max-age"] == 0
        assert jar(old)["refresh"]  # only a log-out deletes cookies of ours

    def test_of_another_token_is_a_new_probe(self, bob, signed_in, events):
        browser = signed_in(bob)
        olds = []
        for _ in range(3):
            olds.append(copy_of(browser))
            elapse(EXPIRED, browser, *olds)
            browser.get("/who/")
        probed = olds[0].get("/who/").cookies[PROBE].value
        olds[1].cookies[PROBE] = probed
        assert olds[1].get("/who/").status_code == 307
        assert TokenEvent.REUSED not in events

    def test_that_is_forged_or_too_old_is_a_new_probe(self, stale, events, monkeypatch):
        _, old = stale
        first = old.get("/who/").cookies[PROBE].value
        for value in (first[:-1], f"{first}x", "garbage", ""):
            old.cookies[PROBE] = value
            assert old.get("/who/").status_code == 307
        monkeypatch.setattr(probe, "LIFETIME", -1)
        old.cookies[PROBE] = first
        assert old.get("/who/").status_code == 307
        assert TokenEvent.REUSED not in events

    def test_costs_an_anonymous_visitor_nothing(self, db, django_assert_num_queries):
        visitor = Client()
        visitor.cookies[PROBE] = "garbage"
        with django_assert_num_queries(0):
            assert visitor.get("/who/").content == b"nobody"


class TestEvents:
    def test_each_has_a_sentence_of_its_own(self):
        assert MESSAGES.keys() == set(TokenEvent)
        assert len({sentence for _, sentence in MESSAGES.values()}) == len(TokenEvent)

    def test_each_leaves_one_line_that_says_which_row_and_why(self, stale, caplog):
        _, old = stale
        RefreshToken.objects.get().revoke(Reason.ENDED)
        caplog.set_level("DEBUG", "tokens")
        old.get("/who/")
        (record,) = [record for record in caplog.records if record.name == "tokens"]
        assert record.getMessage() == MESSAGES[TokenEvent.DEAD][1]
        assert (record.token_event, record.sid, record.reason) == ("dead", str(RefreshToken.objects.get().pk), "ended")

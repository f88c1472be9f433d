"""Pages that guard the account, of sessions that are bound to a device: a copy of the jar opens none of them."""

from importlib import import_module
from time import time
from urllib.parse import urlencode

import pytest
from django.conf import settings as live
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.accounts.reauthenticating import QUESTION
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse, jar
from tests.tokens.device import AsgiClient, Device, WsgiClient
from tokens import cookies, verification
from tokens.binding import marks
from tokens.models import RefreshToken

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

LIFETIME = 600
OLD = marks.PROVED_WITHIN  # seconds, at which a mark is no longer young
FETCH = {"Sec-Fetch-Mode": "cors"}
SKIPPED = {"Secure-Session-Skipped": "quota_exceeded"}


@pytest.fixture(autouse=True)
def _on(settings):
    settings.TOKENS_BOUND_LIFETIME = LIFETIME
    settings.TOKENS_REAUTHENTICATION_URL = "confirm"


@pytest.fixture(params=[WsgiClient, AsgiClient], ids=["wsgi", "asgi"])
def client(request):
    return request.param()


@pytest.fixture
def device(client, bob):
    """That of a browser in which Bob has signed in, and which has bound his session."""
    return Device(client).bind(log_in(client, bob))


def log_in(client, user):
    return client.post("/log-in/", {"username": user.username, "password": PASSWORD})


def prove(device, ago=0):
    """The browser's mark is of a proof of so many seconds ago."""
    mark = marks.sign(device.session, int(time()) + LIFETIME - ago)
    device.client.cookies[cookies.name_of("bound")] = mark


def holds(client, kind):
    """Whether the jar has a cookie of this kind that has not been deleted."""
    morsel = client.cookies.get(cookies.name_of(kind))
    return morsel is not None and bool(morsel.value)


def redirected(response, url):
    """Whether a response sends the browser to the same URL once more, without its mark."""
    assert (response.status_code, response.url) == (307, url)
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.cookies["__Host-bound"]["max-age"] == 0
    return True


def upload():
    return {"file": SimpleUploadedFile("letter.txt", b" of a file")}


class TestGuardedPages:
    def test_open_beside_a_young_mark_and_others_beside_any(self, device):
        assert device.client.get("/guarded/").content == b"bob"
        prove(device, ago=OLD)
        assert device.client.get("/who/").content == b"bob"
        assert redirected(device.client.get("/guarded/"), "/guarded/")

    @pytest.mark.parametrize("access", ["good", "over"])
    @pytest.mark.parametrize(
        ("method", "sent", "headers", "answer"),
        [
            ("get", dict, {}, "bob GET "),
            ("get", dict, FETCH, "bob GET "),
            ("post", lambda: {"text": "of a form"}, {}, "bob POST of a form"),
            ("post", lambda: {"text": "of a script"}, FETCH, "bob POST of a script"),
            ("post", upload, {}, "bob POST  of a file"),
        ],
    )
    def test_beside_an_old_one_the_browser_proves_its_key_and_repeats(
        self, device, settings, method, sent, headers, answer, access
    ):
        settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
        if access == "over":
            elapse(16 * 60, device.client)
        prove(device, ago=OLD)
        ask = getattr(device.client, method)
        url = "/guarded-form/" if method == "post" else "/guarded-form/?page=2"
        assert redirected(ask(url, sent(), headers=headers), url)
        assert device.refresh().status_code == 200
        assert ask(url, sent(), headers=headers).content.decode() == answer
        assert ask(url, sent(), headers=headers).status_code == 200

    def test_one_of_another_row_is_taken_away_as_well(self, device):
        device.client.cookies[cookies.name_of("bound")] = marks.sign("another", int(time()) + LIFETIME)
        assert redirected(device.client.get("/guarded/"), "/guarded/")

    def test_of_a_session_that_is_not_bound_they_need_none_and_no_query_more(
        self, bob, device, django_assert_num_queries
    ):
        other = type(device.client)()
        log_in(other, bob)
        for browser in (other, device.client):
            browser.get("/guarded/")
            with django_assert_num_queries(1):
                assert browser.get("/guarded/").content == b"bob"

    def test_off_they_need_none(self, device, settings):
        prove(device, ago=OLD)
        settings.TOKENS_BOUND_LIFETIME = 0
        assert device.client.get("/guarded/").content == b"bob"


class TestCopies:
    """A thief with the whole jar, whose access token is good."""

    @pytest.fixture
    def thief(self, device):
        prove(device, ago=OLD)
        return copy_of(device.client)

    def test_a_page_leads_to_the_sign_in_page_and_not_in_circles(self, thief, device):
        assert redirected(thief.get("/guarded-form/"), "/guarded-form/")
        response = thief.get("/guarded-form/")
        assert (response.status_code, response.url) == (302, "/log-in/?next=/guarded-form/")
        assert thief.get("/confirm/").content == b"Are you bob?"
        assert set(jar(thief)) == {"access", "refresh"}  # or the owner, if it is their browser, had to sign in
        prove(device)
        assert device.client.get("/guarded-form/").content == b"bob GET "

    def test_a_form_is_nobodys_and_a_script_refused(self, thief):
        assert redirected(thief.post("/guarded-form/", {"text": "long"}), "/guarded-form/")
        response = thief.post("/guarded-form/", {"text": "long"})
        assert (response.status_code, response.url) == (302, "/log-in/")
        assert thief.get("/guarded-form/", headers=FETCH).status_code == 401

    def test_who_says_that_no_proof_is_possible_is_asked_who_it_is(self, thief):
        response = thief.get("/guarded-form/?page=2", headers=SKIPPED)
        assert (response.status_code, response.url) == (302, "/confirm/?next=/guarded-form/%3Fpage%3D2")
        for headers in (SKIPPED, SKIPPED | FETCH):
            assert thief.post("/guarded-form/", {}, headers=headers).status_code == 503
        assert thief.get("/guarded-form/", headers=SKIPPED | FETCH).status_code == 503

    def test_where_nothing_asks_it_is_later(self, thief, settings):
        settings.TOKENS_REAUTHENTICATION_URL = ""
        response = thief.get("/guarded-form/", headers=SKIPPED)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "60")

    def test_whoever_knows_the_secret_gets_a_young_mark(self, thief):
        thief.post("/confirm/", headers=SKIPPED)
        assert thief.get("/guarded-form/", headers=SKIPPED).content == b"bob GET "

    def test_one_made_within_two_minutes_of_a_proof_opens_them_until_these_are_over(self, device):
        prove(device, ago=OLD - 60)
        thief = copy_of(device.client)
        assert thief.get("/guarded-form/").content == b"bob GET "
        thief.cookies[cookies.name_of("bound")] = marks.sign(device.session, int(time()) + LIFETIME - OLD)
        assert redirected(thief.get("/guarded-form/"), "/guarded-form/")

    def test_one_confirms_no_token_of_its_own(self, device):
        """Or the owner's would be stale, and a verdict of reuse would sign them out."""
        elapse(16 * 60, device.client)
        prove(device)
        thief = copy_of(device.client)
        for browser in (thief, device.client):
            assert browser.get("/who/").content == b"bob"
        elapse(OLD, thief, device.client)
        prove(device, ago=OLD)
        thief.cookies[cookies.name_of("bound")] = device.client.cookies[cookies.name_of("bound")].value
        assert thief.get("/who/").content == b"bob"  # by the access token
        del thief.cookies[cookies.name_of("access")]
        assert redirected(thief.get("/who/"), "/who/")
        elapse(16 * 60, device.client)
        prove(device)
        assert device.client.get("/who/").content == b"bob"
        assert RefreshToken.objects.live().get().probed_jti is None


class TestSigningOut:
    def test_with_a_young_mark(self, device):
        assert device.client.post("/log-out/").content == b"bye"
        assert not RefreshToken.objects.live().exists()

    @pytest.mark.parametrize("mark", ["old", "none"])
    def test_a_copy_without_one_loses_its_cookies_and_the_owner_stays(self, device, mark):
        prove(device, ago=OLD)
        thief = copy_of(device.client)
        if mark == "none":
            del thief.cookies[cookies.name_of("bound")]
        assert redirected(thief.post("/log-out/"), "/log-out/")
        assert holds(thief, "access") and holds(thief, "refresh")
        assert thief.post("/log-out/").content == b"bye"
        assert not (holds(thief, "access") or holds(thief, "refresh"))
        prove(device)
        assert device.client.get("/guarded/").content == b"bob"

    def test_the_owner_proves_the_key_and_is_signed_out(self, device):
        prove(device, ago=OLD)
        assert redirected(device.client.post("/log-out/"), "/log-out/")
        assert device.refresh().status_code == 200
        assert device.client.post("/log-out/").content == b"bye"
        assert not RefreshToken.objects.live().exists()

    @pytest.mark.parametrize(("name", "ended"), [("alice", False), ("bob", True)])
    def test_a_copy_ends_nothing_by_signing_in_unless_it_knows_the_password(self, device, alice, bob, name, ended):
        thief = copy_of(device.client)
        del thief.cookies[cookies.name_of("bound")]
        assert log_in(thief, {"alice": alice, "bob": bob}[name]).content.decode() == name
        assert RefreshToken.objects.live().filter(pk=device.session).exists() is not ended

    def test_a_browser_that_went_on_in_another_session_forgets_the_key(self, device, alice):
        """The two keys share the cookie of the mark."""
        browser = device.client
        del browser.cookies[cookies.name_of("bound")]
        for _ in range(2):
            browser.post("/log-out/")
        key = {"Sec-Secure-Session-Id": f'"{device.session}"'}
        assert browser.post(device.url, headers=key).status_code == 403
        log_in(browser, alice)
        assert browser.post(device.url, headers=key).status_code == 401
        assert device.refresh().status_code == 200  # after a link from another site, no cookie says so


class TestFirstTokens:
    def left(self, client):
        """How many seconds the access token in the jar is still good for."""
        return verification.verify_access(jar(client)["access"]).exp - time()

    def test_a_copy_from_before_the_registration_is_out_when_its_mark_would_be(self, client, bob):
        device = Device(client)
        response = log_in(client, bob)
        thief = copy_of(client)
        device.bind(response)
        assert self.left(thief) <= LIFETIME
        elapse(LIFETIME, thief)
        thief.get("/who/")
        assert thief.get("/who/").content == b"nobody"

    def test_over_plain_http_nothing_is_offered_and_they_live_as_ever(self, client, bob):
        client.secure = False
        assert "Secure-Session-Registration" not in log_in(client, bob).headers
        assert self.left(client) > LIFETIME

    def test_those_of_a_reauthentication_that_offers(self, client, bob):
        client.force_login(bob)
        assert self.left(client) > LIFETIME
        response = client.post("/confirm/")
        assert "Secure-Session-Registration" in response.headers
        assert self.left(client) <= LIFETIME

    def test_those_of_a_session_that_is_taken_over(self, client, bob, settings):
        settings.TOKENS_ADOPT_SESSIONS = "sessionid"
        store = import_module("django.contrib.sessions.backends.db").SessionStore()
        store[SESSION_KEY], store[BACKEND_SESSION_KEY] = str(bob.pk), live.AUTHENTICATION_BACKENDS[0]
        store[HASH_SESSION_KEY] = bob.get_session_auth_hash()
        store.save()
        client.cookies["sessionid"] = store.session_key
        response = client.get("/who/")
        assert response.content == b"bob"
        assert self.left(client) <= LIFETIME
        prove(Device(client).bind(response), ago=OLD)
        assert redirected(client.get("/guarded/"), "/guarded/")


@pytest.mark.urls("project.urls")
class TestSite:
    """What people see."""

    @pytest.fixture
    def browse(self, client, sign_in):
        """`browse(user)`: the device of a browser in which `user` has signed in, with an old mark."""

        def browse(user):
            device = Device(client).bind(sign_in(client, user))
            prove(device, ago=OLD)
            return device

        return browse

    def test_the_admin_is_guarded(self, browse, alice):
        device = browse(alice)
        assert redirected(device.client.get("/admin/"), "/admin/")
        assert device.refresh().status_code == 200
        assert b"Users, sessions and activity" in device.client.get("/admin/").content

    def test_the_api_ends_none_for_an_access_token_out_of_a_jar(self, browse, bob):
        token = jar(browse(bob).client)["access"]
        response = WsgiClient().post("/api/auth/logout", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401
        assert RefreshToken.objects.live().exists()

    def test_the_sign_in_page_says_why_and_stays(self, browse, bob):
        thief = browse(bob).client
        assert redirected(thief.get("/accounts/profile/"), "/accounts/profile/")
        page = thief.get(thief.get("/accounts/profile/").url)
        assert page.status_code == 200
        assert "verify that this is the device you signed in on" in page.content.decode()
        assert set(jar(thief)) == {"access", "refresh"}

    def test_it_carries_a_form_and_the_way_back_stays_open(self, browse, bob):
        """Whoever has lost the key."""
        client = browse(bob).client
        del client.cookies[cookies.name_of("access")]
        page = self.sent(client, "/accounts/profile/", first_name="Robert")
        assert page.status_code == 200
        assert "verify that this is the device you signed in on" in page.content.decode()
        assert 'name="carried_form"' in page.content.decode()
        page = self.sent(client, "/accounts/password/reset/", email="bob@example.org")
        assert (page.status_code, page.url) == (302, "/accounts/password/reset/done/")

    def sent(self, client, url, **fields):
        """Send a form, and once more if the site says so."""
        body, form = urlencode(fields), "application/x-www-form-urlencoded"
        response = client.post(url, body, form)
        return client.post(url, body, form) if response.status_code == 307 else response

    def test_while_no_proof_is_possible_a_form_is_to_be_sent_again(self, browse, bob):
        page = browse(bob).client.post("/accounts/profile/", {"first_name": "Bob"}, headers=SKIPPED)
        assert (page.status_code, page.headers["Retry-After"]) == (503, "60")
        assert "reload this page to send it again" in page.content.decode()
        assert "Try again" not in page.content.decode()  # a link, which would forget the form

    def test_without_a_proof_and_tokens_one_signs_in_again(self, browse, bob):
        """To ask who it is would take a good access token; until the browser proves its key again there is none."""
        client = browse(bob).client
        elapse(16 * 60, client)
        response = client.get("/accounts/profile/", headers=SKIPPED)
        assert (response.status_code, response.url) == (302, "/accounts/login/?next=/accounts/profile/")
        page = client.get(response.url, headers=SKIPPED).content.decode()
        assert "verify that this is the device you signed in on" in page
        assert set(jar(client)) == {"access", "refresh"}
        again = client.post(response.url, {"username": "bob", "password": PASSWORD}, headers=SKIPPED)
        assert (again.status_code, again.url) == (302, "/accounts/profile/")
        assert client.get("/accounts/profile/", headers=SKIPPED).status_code == 200
        assert RefreshToken.objects.live().count() == 1

    def test_without_a_proof_the_password_opens_the_page(self, browse, bob):
        client = browse(bob).client
        response = client.get("/accounts/profile/", headers=SKIPPED)
        assert (response.status_code, response.url) == (302, "/accounts/confirm/?next=/accounts/profile/")
        assert QUESTION in client.get(response.url, headers=SKIPPED).content.decode()
        wrong = client.post(response.url, {"proof-password": "not this one"}, headers=SKIPPED)
        assert wrong.status_code == 200 and "__Host-bound" not in wrong.cookies
        right = client.post(response.url, {"proof-password": PASSWORD}, headers=SKIPPED)
        assert (right.status_code, right.url) == (302, "/accounts/profile/")
        assert client.get("/accounts/profile/").status_code == 200

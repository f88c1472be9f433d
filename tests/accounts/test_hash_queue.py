"""That requests which hash hold at most half of the threads, so that a crowd keeps nobody waiting for a page."""

import json
import signal
import sys
from io import BytesIO
from threading import Thread
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlsafe_base64_encode

from accounts.mails import worker
from accounts.models import User
from accounts.providers import client
from accounts.security import hashers, limits, throttle
from accounts.security.reset_tokens import reset_tokens
from project import server
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

LOGIN, SIGN_UP, RESET = "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"
FORM = {"username": "bob", "password": PASSWORD}
NEW = "an entirely new one"
SOON = range(throttle.RETRY_AFTER, 3 * throttle.RETRY_AFTER + 1)  # by chance


def log_in_app(password=PASSWORD):
    return Client().post("/api/auth/login", FORM | {"password": password}, content_type="application/json")


class TestTheQueue:
    @pytest.fixture
    def queue(self, rf):
        """All have joined, and as many as there are slots have their turn."""
        queue = hashers.HashQueue(capacity=8)
        self.requests = [rf.get("/") for _ in range(hashers.SLOTS + 1)]
        for request in self.requests:
            assert queue.join(request, 1.0)
        for request in self.requests[:-1]:
            queue.wait_for_slot(request)
        return queue

    def test_gives_a_turn_to_so_many_and_the_others_wait(self, queue):
        waiting = Thread(target=queue.wait_for_slot, args=[self.requests[-1]], daemon=True)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        queue.leave(self.requests[0])
        waiting.join()
        assert self.requests[-1] in queue._hashing

    def test_has_whoever_has_their_turn_wait_no_second_time(self, queue):
        assert queue.wait_for_slot(self.requests[0])

    def test_keeps_nobody_for_ever(self, queue, monkeypatch):
        monkeypatch.setattr(hashers, "QUEUE_TIMEOUT", 0)
        assert not queue.wait_for_slot(self.requests[-1])

    def test_forgets_a_request_that_is_lost(self, queue):
        last = self.requests.pop()
        self.requests.clear()
        assert queue.wait_for_slot(last)
        assert len(queue._requests) == 1


def test_a_worker_shares_its_threads_and_its_interpreter(monkeypatch):
    """Half of the threads hash; and whoever opens a page does not wait Python's five milliseconds for a sign-in."""
    monkeypatch.setattr(signal, "signal", lambda *args: None)
    monkeypatch.setattr(worker, "start", lambda: None)
    monkeypatch.setattr(hashers.queue, "capacity", 0)
    monkeypatch.setattr(client, "at_once", 0)
    before = sys.getswitchinterval()
    try:
        server.start_worker(Mock(cfg=Mock(threads=64)))
        assert sys.getswitchinterval() == pytest.approx(0.001)
    finally:
        sys.setswitchinterval(before)
    assert (hashers.queue.capacity, client.at_once) == (32, 16)


@pytest.mark.django_db
@pytest.mark.usefixtures("clock")
class TestRequests:
    @pytest.fixture
    def crowd(self, rf, monkeypatch):
        """`crowd(share)`: others fill so much of the queue."""
        monkeypatch.setattr(hashers, "queue", hashers.HashQueue(capacity=8))
        others = [rf.get("/") for _ in range(8)]
        return lambda share: all(hashers.queue.join(each, 1.0) for each in others[: int(8 * share)])

    def ways(self, bob, sign_in):
        """Every way to have something hashed: what share leaves no room, what the answer has, and how to send it."""
        own, reset, link = Client(), Client(), urlsafe_base64_encode(str(bob.pk).encode())
        sign_in(own, bob)
        new = reset.get(f"{RESET}{link}/{reset_tokens.make_token(bob)}/").headers["Location"]
        passwords = {"new_password1": NEW, "new_password2": NEW}
        names = {"username": "ada", "email": "ada@example.org"}
        again, form = "reload this page to send it again", names | {"password1": NEW, "password2": NEW}
        yield limits.STRANGERS_SHARE, again, lambda: Client().post(LOGIN, FORM)
        yield limits.STRANGERS_SHARE, "unavailable", log_in_app
        yield limits.STRANGERS_SHARE, again, lambda: Client().post(SIGN_UP, form)
        yield 1.0, "new_password1", lambda: reset.post(new, passwords)
        yield (
            1.0,
            "old_password",
            lambda: own.post("/accounts/password/change/", passwords | {"old_password": PASSWORD}),
        )
        yield (
            1.0,
            "proof-password",
            lambda: own.post("/accounts/sessions/end-others/", {"proof-password": PASSWORD}),
        )

    def test_are_turned_away_at_once_uncounted_with_what_was_typed(self, bob, sign_in, crowd, hashes):
        for share, typed, send in self.ways(bob, sign_in):
            RefreshToken.objects.update(authenticated_at=None)
            hashers.queue = hashers.HashQueue(capacity=8)
            crowd(share)
            hashes.clear()
            before = dict(cache._cache)
            with CaptureQueriesContext(connection) as queries:
                response = send()
            page = response.content.decode()
            assert (response.status_code, typed in page) == (503, True), page
            assert int(response.headers["Retry-After"]) in SOON
            assert PASSWORD not in page and NEW not in page
            assert not hashes
            assert share == 1.0 or not queries  # of strangers, before anything is asked
            assert cache._cache == before
        assert not User.objects.filter(username="ada")

    @pytest.mark.parametrize("url", [LOGIN, SIGN_UP])
    def test_are_turned_away_before_their_form_is_looked_at_in_the_language_of_each(self, crowd, url):
        crowd(limits.STRANGERS_SHARE)
        for language, words in ("de", "Einen Moment, bitte"), ("en", "One moment, please"):
            response = Client(enforce_csrf_checks=True).post(url, headers={"accept-language": language})
            assert response.status_code == 503
            assert words in response.content.decode()
        assert Client().get(url).status_code == 200

    def test_leave_however_the_request_ends(self, bob, sign_in, crowd, hashes):
        for _, _, send in self.ways(bob, sign_in):
            hashers.queue = hashers.HashQueue(capacity=8)
            assert send().status_code < 400
            assert not hashers.queue._requests
        assert log_in_app("not the password").status_code == 401
        assert not hashers.queue._requests

    def test_join_only_once_the_form_has_arrived(self, bob, hashes):
        """Or one who never ends would keep everybody from signing in."""

        class Body(BytesIO):
            def read(self, *args):
                assert not hashers.queue._requests
                return super().read(*args)

        token = Client().get(LOGIN).cookies["__Host-csrftoken"].value
        form = urlencode(FORM | {"csrfmiddlewaretoken": token}).encode()
        sent = json.dumps(FORM).encode()
        for url, kind, body in (
            ("/api/auth/login", "application/json", sent),
            (LOGIN, "application/x-www-form-urlencoded", form),
        ):
            client = Client(enforce_csrf_checks=True)
            client.cookies["__Host-csrftoken"] = token
            extra = {"wsgi.input": Body(body), "CONTENT_LENGTH": len(body)}
            assert client.post(url, content_type=kind, **extra).status_code in (200, 302)

    def test_of_people_who_are_signed_in_have_a_quarter_of_their_own(self, bob, sign_in, crowd):
        *_, (_, _, confirm) = self.ways(bob, sign_in)
        crowd(limits.STRANGERS_SHARE)
        assert Client().post(LOGIN, FORM).status_code == 503
        assert confirm().status_code == 302

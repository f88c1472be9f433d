"""Invariant 4: sign-in, refresh, log-out, password reset, deactivation and deletion at once, in real threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, connection, connections

from tests.stateful.people import Person, fresh
from tests.tokens.clock import elapse
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

EXPIRED = 16 * 60  # seconds after which an access token is over, and a refresh token old enough to be confirmed
ENDINGS = ["log_out", "reset", "deactivate", "delete"]
RACERS = len(ENDINGS) + 3


class Race:
    """Threads and browsers for many rounds: both take longer to make than to use."""

    def __init__(self):
        self.newcomer, self.leaver, *self.others = self.browsers = [Client() for _ in range(4)]

    def __enter__(self):
        self.pool = ThreadPoolExecutor(RACERS)
        return self

    def __exit__(self, *_):
        self.together([connections.close_all] * RACERS)
        self.pool.shutdown()

    def together(self, calls):
        """What `calls` return, in their order. None starts before all are ready; an exception comes out."""
        barrier = threading.Barrier(len(calls))

        def run(call):
            barrier.wait(timeout=30)
            return call()

        return list(self.pool.map(run, calls))

    def prepare(self):
        """One person. All browsers but the newcomer's hold a refresh token that its next use confirms."""
        self.person = Person.new()
        for browser in self.browsers:
            browser.cookies.clear()
        self.sign_in(self.leaver)
        elapse(EXPIRED, self.leaver)
        self.leaver.get("/who/")
        elapse(EXPIRED, self.leaver)
        for browser in self.others:
            browser.cookies.load({name: morsel.value for name, morsel in self.leaver.cookies.items()})

    def run(self, endings):
        """One round; the status of each answer."""
        calls = [lambda: self.sign_in(self.newcomer), *(lambda b=other: b.get("/who/") for other in self.others)]
        calls += [getattr(self, ending)() for ending in endings]
        return {answer.status_code for answer in self.together(calls) if hasattr(answer, "status_code")}

    def known(self):
        """Whom a page that guards the account takes each browser for."""
        return [browser.get("/guarded/").content.decode() for browser in self.browsers]

    def sign_in(self, browser):
        return browser.post("/log-in/", {"username": self.person.name, "password": self.person.password})

    # What each ending has to do in the race; whatever it has to read, it has read before.

    def log_out(self):
        return lambda: self.leaver.post("/log-out/")

    def reset(self):
        user = self.person.user()
        user.set_password(fresh("password"))
        return lambda: save(user, "password")

    def deactivate(self):
        user = self.person.user()
        user.is_active = False
        return lambda: save(user, "is_active")

    def delete(self):
        return self.person.user().delete


def save(user, field):
    try:
        user.save(update_fields=[field])
    except DatabaseError:
        if type(user).objects.filter(pk=user.pk).exists():
            raise  # or else there is nobody left whom it could have saved


def test_after_sign_in_refresh_and_any_endings_at_once_no_session_lives_that_should_not():
    rounds = 150 if connection.vendor == "postgresql" else 30
    with Race() as race:
        for number in range(rounds):
            chosen = number % 15 + 1  # every choice of endings in turn
            endings = [ending for place, ending in enumerate(ENDINGS) if chosen >> place & 1]
            race.prepare()
            assert race.run(endings) <= {200, 401}
            newcomer = race.person.name if endings == ["log_out"] else "nobody"
            assert race.known() == [newcomer, "nobody", "nobody", "nobody"], endings
            assert RefreshToken.objects.live().count() == (newcomer != "nobody"), endings
            RefreshToken.objects.all().delete()

"""Invariant 4: sign-in, refresh, log-out, password reset, deactivation and deletion at once, in real threads."""

from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import pytest
from django.db import DatabaseError

from tests.stateful.people import Person, fresh
from tests.tokens.clock import EXPIRED, copy_of, elapse
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db(transaction=True)]


def log_out(person: Person, leaver: Client) -> Callable[[], Any]:
    return lambda: leaver.post("/log-out/")


def reset(person: Person, leaver: Client) -> Callable[[], Any]:
    user = person.user()
    user.set_password(fresh("password"))
    return lambda: save(user, "password")


def deactivate(person: Person, leaver: Client) -> Callable[[], Any]:
    user = person.user()
    user.is_active = False
    return lambda: save(user, "is_active")


def delete(person: Person, leaver: Client) -> Callable[[], Any]:
    return person.user().delete


def save(user: Any, field: str) -> None:
    try:
        user.save(update_fields=[field])
    except DatabaseError:
        if type(user).objects.filter(pk=user.pk).exists():
            raise  # or else there is nobody left whom it could have saved


ENDINGS = (log_out, reset, deactivate, delete)
CHOICES = list(chain.from_iterable(combinations(ENDINGS, number) for number in range(1, len(ENDINGS) + 1)))


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_after_sign_in_refresh_and_any_endings_at_once_no_session_lives_that_should_not(rounds):
    for endings in CHOICES * rounds:
        person, newcomer, leaver = Person.new(), Client(), Client()
        sign_in(leaver, person)
        elapse(EXPIRED, leaver)
        leaver.get("/who/")
        elapse(EXPIRED, leaver)  # The next use of the child that it got confirms it.
        browsers = [newcomer, leaver, copy_of(leaver), copy_of(leaver)]
        calls = [lambda n=newcomer, p=person: sign_in(n, p), *(lambda b=b: b.get("/who/") for b in browsers[2:])]
        answers = together(calls + [ending(person, leaver) for ending in endings])

        assert {answer.status_code for answer in answers if hasattr(answer, "status_code")} <= {200, 401}
        name = person.name if endings == (log_out,) else "nobody"
        assert RefreshToken.objects.live().count() == (name != "nobody"), endings
        assert [browser.get("/guarded/").content.decode() for browser in browsers] == [name, *["nobody"] * 3], endings
        RefreshToken.objects.all().delete()


def sign_in(browser: Client, person: Person) -> Any:
    return browser.post("/log-in/", {"username": person.name, "password": person.password})

"""A database that fails at any statement of a request leaves all that the request does, or nothing."""

from collections import Counter

import pytest
from django.core.cache import cache
from django.db import connection
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.mails import worker
from accounts.models import EmailVerification, OutgoingMail, SecurityEvent, User
from accounts.security import hashers
from accounts.security.reset_tokens import reset_tokens
from tests.accounts.conftest import CHROME
from tests.accounts.test_api import App
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of
from tests.tokens.outage import failing_at
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "staple battery horse"
CHOSEN = {"new_password1": NEW, "new_password2": NEW}


def state():
    """What people would call done; an attempt at a password counts, whatever becomes of its request."""
    people = User.objects.order_by("pk").values_list(
        "pk", "username", "email", "first_name", "password", "is_active", "deletion_due_at"
    )
    events = SecurityEvent.objects.exclude(kind="reauthenticated").values_list("kind", flat=True)
    return {
        "people": list(people),
        "ended": sorted(RefreshToken.objects.exclude(revoked_at=None).values_list("pk", flat=True)),
        "verifications": set(EmailVerification.objects.values_list("pk", "confirmed_at")),
        "told": Counter(f"event {kind}" for kind in events)
        + Counter(f"mail {kind}" for kind in OutgoingMail.objects.values_list("kind", flat=True)),
    }


BY_PAGES = {
    "password_change": ({"old_password": PASSWORD, **CHOSEN}, "event password_changed, mail password_changed"),
    "sessions_end_others": ({}, "event others_ended"),
    "sessions_end_all": ({}, "event all_ended"),
    "session_end": ({}, "event session_ended"),
    "profile": ({"first_name": "Robert"}, "event profile_changed"),
    "username_change": ({"username": "robert"}, "event username_changed, mail username_changed"),
    "email_change": ({"email": "robert@example.org"}, "event email_change_asked, mail email_confirm"),
    "delete": ({}, "event deletion_asked, mail deletion_asked"),
    "logout": ({}, "event signed_out"),
    "password_reset": ({"email": "bob@example.org"}, "event reset_asked, mail password_reset"),
}
BY_ADMINISTRATORS = {
    "accounts/user: end_sessions": "event all_ended",
    "accounts/user: deactivate": "event deactivated",
    "accounts/user: send_reset": "event reset_asked, mail password_reset",
    "accounts/user: delete_selected": "event deleted",
    "tokens/refreshtoken: end_sessions": "event session_ended",
}


@pytest.fixture(autouse=True)
def _mails_wait(monkeypatch):
    """A worker that another test has started looks for mails as well."""
    monkeypatch.setattr(worker, "notify", lambda: None)
    monkeypatch.setattr(worker, "send_due", lambda *stopping: 0)


@pytest.fixture(autouse=True)
def _nothing_is_hashed_in_a_transaction(monkeypatch):
    """It takes long, and longer while others sign in: on SQLite nobody could write meanwhile."""
    make_hash, within = hashers.make_hash, []
    watched = lambda *args: within.append(connection.in_atomic_block) or make_hash(*args)  # noqa: E731
    monkeypatch.setattr(hashers, "make_hash", watched)
    yield
    assert not any(within)


def all_or_nothing(send, expected):
    """Send the request with a failure at its first statement, its second, and so on, until it is done."""
    for number in range(1, 200):
        cache.clear()  # or the throttle would refuse so many attempts
        before = state()
        with failing_at(number) as met:
            response = send()
        after = state()
        if response.status_code < 400 and after != before:
            assert ", ".join(sorted((after["told"] - before["told"]).elements())) == expected, (number, met)
            return
        assert after == before, (number, met)
        assert met, response.status_code
    raise AssertionError("It is never done.")


@pytest.mark.parametrize("name", BY_PAGES)
def test_by_a_page(here, there, name):
    data, expected = BY_PAGES[name]
    other = RefreshToken.objects.get(user_agent=CHROME)
    url = reverse(name, args=[other.pk] if name == "session_end" else [])
    all_or_nothing(lambda: copy_of(here).post(url, data), expected)


def test_by_a_sign_up(db):
    data = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    all_or_nothing(lambda: Client().post(reverse("signup"), data), "event signed_up, mail email_confirm")


def test_by_a_sign_up_that_is_corrected(db):
    data = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    browser = Client()
    browser.post(reverse("signup"), data)
    data["email"] = "ada@example.net"
    expected = "event email_change_asked, mail email_confirm"
    all_or_nothing(lambda: copy_of(browser).post(reverse("signup"), data), expected)


def test_by_the_link_to_a_new_password(here, bob):
    url = reverse(
        "password_reset_confirm",
        args=[urlsafe_base64_encode(force_bytes(bob.pk)), reset_tokens.make_token(bob)],
    )
    reader = Client()
    form = reader.get(url).headers["Location"]
    all_or_nothing(lambda: copy_of(reader).post(form, CHOSEN), "event password_reset, mail password_changed")


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [("POST", "auth/logout-everywhere", "event all_ended"), ("DELETE", "sessions/{}", "event session_ended")],
)
def test_by_an_app(there, bob, method, url, expected):
    app = App()
    app.sign_in("bob")
    other = RefreshToken.objects.get(user_agent=CHROME)
    all_or_nothing(lambda: app.call(method, url.format(other.pk), app.access), expected)


@pytest.mark.parametrize("name", BY_ADMINISTRATORS)
def test_by_an_administrator(admin, bob, there, name):
    model, action = name.split(": ")
    key = RefreshToken.objects.get(user_agent=CHROME).pk if "refreshtoken" in model else bob.pk
    fields = {"action": action, "_selected_action": [key], "post": "yes", "confirmed": "yes"}
    all_or_nothing(lambda: copy_of(admin).post(f"/admin/{model}/", fields), BY_ADMINISTRATORS[name])

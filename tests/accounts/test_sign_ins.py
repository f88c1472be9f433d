"""People hear of a sign-in from where their account was never used."""

import pytest
from django.core import mail
from django.utils import timezone

from accounts import sign_ins
from accounts.models import User
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

PROGRAM = "backup/2.1"


@pytest.fixture
def at(using, sign_in, bob, committing):
    """`at(user_agent)`: Bob signs in there; the browser."""

    def at(user_agent, browser=None):
        browser = browser or using(user_agent)
        with committing():
            sign_in(browser, bob)
        return browser

    return at


@pytest.fixture
def program(bob, committing):
    """`program(user_agent)`: Bob's program signs in by the API."""

    def program(user_agent):
        client = Client(headers={"user-agent": user_agent})
        with committing():
            fields = {"username": "bob", "password": PASSWORD}
            assert client.post("/api/auth/login", fields, content_type="application/json").status_code == 200

    return program


@pytest.fixture
def fail(bob):
    def fail(times):
        for _ in range(times):
            Client().post("/accounts/login/", {"username": "bob", "password": "not it"})

    return fail


class TestBrowsers:
    def test_the_first_of_an_account_is_not_told(self, at):
        at(FIREFOX)

        assert not mail.outbox

    def test_the_first_of_an_old_account_is(self, at, bob):
        User.objects.update(date_joined=timezone.now() - timezone.timedelta(days=31))
        at(FIREFOX)

        assert len(mail.outbox) == 1

    def test_another_one_is_told_with_what_to_do(self, at):
        at(FIREFOX)
        at(IPHONE)

        [message] = mail.outbox
        assert (message.subject, message.to) == ("A new sign-in to your account", ["bob@example.org"])
        assert "Browser: Safari 17 on iPhone" in message.body
        assert "Address: 127.0.0.1" in message.body
        assert "http://testserver/accounts/sessions/" in message.body
        assert "failed" not in message.body

    def test_one_that_was_here_before_is_not(self, at):
        here = at(FIREFOX)
        here.post("/accounts/logout/")
        at(FIREFOX, here)

        assert not mail.outbox

    def test_the_same_make_of_browser_is_another_browser(self, at):
        at(FIREFOX)
        at(FIREFOX)

        assert len(mail.outbox) == 1

    def test_somebody_elses_browser_is_new_to_the_account(self, at, alice, sign_in):
        hers = Client()
        sign_in(hers, alice)
        hers.post("/accounts/logout/")
        at(FIREFOX)
        at("", hers)

        assert len(mail.outbox) == 1

    def test_failures_before_it_are_told_as_well(self, at, fail):
        at(FIREFOX)
        fail(3)
        at(CHROME)
        fail(2)
        at(IPHONE)

        first, second = mail.outbox
        assert "Before that, 3 attempts with wrong passwords had failed." in first.body
        assert "failed" not in second.body

    def test_one_that_is_known_costs_no_query_more(self, at, bob, django_assert_num_queries):
        here = at(FIREFOX)
        request = here.get("/").wsgi_request
        with django_assert_num_queries(0):
            assert not sign_ins.is_new(request, bob, RefreshToken(user=bob, method="password"))


class TestPrograms:
    def test_one_that_is_new_is_told_and_then_known(self, at, program):
        at(FIREFOX)
        program(PROGRAM)
        program(PROGRAM)

        [message] = mail.outbox
        assert "Address: 127.0.0.1" in message.body

    def test_another_one_is_told_as_well(self, at, program):
        at(FIREFOX)
        program(PROGRAM)
        program("curl/8.5.0")

        assert len(mail.outbox) == 2

    def test_after_so_many_in_a_day_one_more_says_nothing_new(self, at, program):
        """The address may be a stranger's, whom anybody could have written to as often as they sign in."""
        at(FIREFOX)
        for number in range(12):
            program(f"{PROGRAM}.{number}")

        assert len(mail.outbox) == 10

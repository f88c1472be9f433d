"""Browsers and programs: which is known to an account, the mail about one that is not, and their names in words."""

import pytest
from django.core import mail, signing
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts.account.user_agents import describe
from accounts.models import User
from accounts.security import known_browsers, new_browser_alert
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE, sent
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

NAME = "__Host-device"
NEW = "an entirely new one"


def request_of(client):
    """What the site sees of this browser."""
    request = RequestFactory().get("/")
    request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
    return request


def knows(client, user):
    return known_browsers.is_known(request_of(client), User.objects.get(pk=user.pk))


@pytest.mark.django_db
class TestTheCookie:
    def test_a_sign_in_leaves_it_bound_to_the_host_and_out_of_reach_of_scripts_and_nothing_else_does(
        self, client, bob, sign_in
    ):
        client.post("/accounts/login/", {"username": "bob", "password": "wrong"})
        client.post("/accounts/password/reset/", {"email": "bob@example.org"})
        assert NAME not in client.cookies
        sign_in(client, bob)
        cookie = client.cookies[NAME]
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
        assert cookie["secure"] and cookie["httponly"]
        assert cookie["max-age"] == 400 * 24 * 60 * 60

    def test_it_says_nothing_about_anybody_and_two_of_somebody_have_nothing_in_common(self, here, there):
        (one, its), (other, others) = (
            signing.loads(browser.cookies[NAME].value, salt=known_browsers.SALT) for browser in (here, there)
        )
        assert (len(one), [len(mark) for mark in its]) == (22, [32])  # drawn, and a hash
        assert one != other
        assert not set(its) & set(others)


@pytest.mark.django_db
class TestKnows:
    def test_whoever_signed_in_and_nobody_else(self, here, bob, alice, sign_in):
        same = User.objects.filter(pk=bob.pk).values("password", "password_changed_at").get()
        User.objects.filter(pk=alice.pk).update(**same)
        assert knows(here, bob)
        assert not knows(here, alice)
        assert not knows(Client(), bob)
        name = known_browsers.from_request(request_of(here)).id
        sign_in(here, alice)  # in the same browser
        assert knows(here, bob) and knows(here, alice)
        assert known_browsers.from_request(request_of(here)).id == name

    def test_five_at_most_and_the_one_of_longest_ago_goes(self, client, sign_in):
        people = [User.objects.create_user(f"user{n}", f"user{n}@example.org", PASSWORD) for n in range(6)]
        for person in [*people[:5], people[0], people[5]]:
            sign_in(client, person)
        assert [knows(client, person) for person in people] == [True, False, True, True, True, True]
        assert len(client.cookies[NAME].value) < 500

    def test_not_after_the_password_was_changed_but_here_where_it_was(self, here, there, bob):
        fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        assert here.post("/accounts/password/change/", fields).status_code == 302
        assert knows(here, bob)
        assert not knows(there, bob)

    def test_still_under_a_new_secret_key_while_the_old_one_is_a_fallback(self, here, bob, settings, sign_in):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "y" * 50, [settings.SECRET_KEY]
        assert knows(here, bob)
        sign_in(here, bob)
        assert len(known_browsers.from_request(request_of(here)).tags) == 1
        settings.SECRET_KEY_FALLBACKS = []
        assert knows(here, bob)

    def test_what_is_not_ours_is_no_browser(self, client, bob, sign_in):
        for value in ("", "a:b:c", signing.dumps(["id", []], salt="another"), signing.dumps("id")):
            client.cookies[NAME] = value
            assert known_browsers.from_request(request_of(client)) is None
        sign_in(client, bob)
        assert knows(client, bob)

    def test_one_of_more_than_400_days_is_none(self, here, bob, monkeypatch):
        monkeypatch.setattr(known_browsers, "LIFETIME", -1)
        assert not knows(here, bob)


@pytest.mark.django_db
class TestRemember:
    def test_without_tls_the_cookie_has_neither_prefix_nor_secure(self, bob, settings):
        settings.COOKIES_SECURE, settings.DEVICE_COOKIE_NAME = False, "device"
        response = HttpResponse()
        known_browsers.remember(RequestFactory().get("/"), response, bob)
        assert not response.cookies["device"]["secure"]

    def test_a_hash_that_is_made_anew_at_the_sign_in_is_the_one_that_counts(self, client, sign_in, settings, bob):
        """The first hasher of the settings has changed since: the password is the same, and its hash is not."""
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]
        sign_in(client, bob)
        assert User.objects.get().password.startswith("md5$")
        assert knows(client, bob)


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


class TestBrowsers:
    @pytest.mark.parametrize(("days", "told"), [(0, 0), (31, 1)])
    def test_the_first_of_an_account_is_told_if_the_account_is_old(self, at, bob, days, told):
        User.objects.update(date_joined=timezone.now() - timezone.timedelta(days=days))
        at(FIREFOX)
        assert len(mail.outbox) == told

    def test_another_one_is_told_with_what_to_do(self, at):
        at(IPHONE)
        at(IPHONE)  # of the same make
        [message] = mail.outbox
        assert (message.kind, message.to) == ("new_browser", ["bob@example.org"])
        for said in ("Safari 17 on iPhone", "127.0.0.1", "http://testserver/accounts/sessions/"):
            assert said in message.body
        assert not message.context.get("failures")

    def test_one_that_was_here_before_is_not_unless_it_was_somebody_elses(self, at, alice, sign_in):
        here, hers = at(FIREFOX), Client()
        here.post("/accounts/logout/")
        at(FIREFOX, here)
        assert not mail.outbox
        sign_in(hers, alice)
        hers.post("/accounts/logout/")
        at("", hers)
        assert sent() == [("new_browser", ["bob@example.org"])]

    def test_failures_before_it_are_told_as_well(self, at, client):
        for user_agent, failures in ((FIREFOX, 0), (CHROME, 3), (IPHONE, 2)):
            for _ in range(failures):
                client.post("/accounts/login/", {"username": "bob", "password": "not it"})
            at(user_agent)
        first, second = mail.outbox
        assert first.context["failures"] == 3
        assert not second.context.get("failures")

    def test_one_that_is_known_costs_no_query_more(self, at, bob, django_assert_num_queries):
        here = at(FIREFOX)
        request = here.get("/").wsgi_request
        with django_assert_num_queries(0):
            assert not new_browser_alert.is_new_browser(request, bob, RefreshToken(user=bob, method="password"))


def test_programs_are_told_once_each_and_so_many_a_day(at, program):
    """The address may be a stranger's, whom anybody could have written to as often as they sign in."""
    at(FIREFOX)
    program(PROGRAM)
    program(PROGRAM)
    assert [message.kind for message in mail.outbox] == ["new_browser"]
    for number in range(12):
        program(f"{PROGRAM}.{number}")
    assert len(mail.outbox) == 10


ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 {}Safari/537.36"
)
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605"


class TestDescribe:
    @pytest.mark.parametrize(
        ("user_agent", "words", "kind"),
        [
            (CHROME, "Chrome 131 on Windows", "desktop"),
            (CHROME + " Edg/131.0.0.0", "Edge 131 on Windows", "desktop"),
            (MAC, "Safari 17 on macOS", "desktop"),
            (IPHONE, "Safari 17 on iPhone", "phone"),
            (IPHONE.replace("iPhone", "iPad", 1), "Safari 17 on iPad", "tablet"),
            (ANDROID.format("Mobile "), "Chrome 131 on Android", "phone"),
            (ANDROID.format(""), "Chrome 131 on Android", "tablet"),
            ("curl/7.88.1", "curl 7", "other"),
            ("MyCompany Backup Agent/3.1 (+https://example.org/bot)", "MyCompany Backup Agent", "other"),
            ("Notes 2.0 (iPhone; iOS 17.1)", "Notes on iPhone", "phone"),
            ("example.org/1.0", "Unknown browser", "other"),
            ("", "Unknown browser", "other"),
            ("?" * 300, "Unknown browser", "other"),
        ],
    )
    def test_says(self, user_agent, words, kind):
        device = describe(user_agent)
        assert (str(device), device.kind) == (words, kind)

    def test_quotes_nobody_at_length(self):
        assert len(str(describe("Mozilla/5.0 (compatible; " + "a" * 250 + "bot/1.0)"))) < 90

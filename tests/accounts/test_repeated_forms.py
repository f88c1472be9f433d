"""Forms that a browser sends twice, by a double click without script or by going back to the page."""

import re
from collections import Counter
from functools import partial

import pytest
from django.core import mail
from django.core.cache import cache
from django.utils import timezone

from accounts.models import User
from accounts.security import hashers, repeated_forms
from accounts.security.limits import STRANGERS_SHARE
from accounts.security.throttle import RETRY_AFTER
from tests.accounts.conftest import kinds, sent
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "another battery horse"
URLENCODED = "application/x-www-form-urlencoded"
SIGN_UP = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
LOGIN, VERIFY = "/accounts/login/", "/accounts/email/verify/"


class Browser(Client):
    """It sends the token of the page's form, which the server asks for."""

    def __init__(self, **options):
        super().__init__(enforce_csrf_checks=True, **options)

    def fill_in(self, url, **fields):
        """The form of a page as this browser would send it now; the secret of a link is not in its address."""
        page = self.get(url, follow=True)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.content.decode())[1]
        return page.redirect_chain[-1][0] if page.redirect_chain else url, {"csrfmiddlewaretoken": token, **fields}

    def send(self, form):
        url, fields = form
        return self.post(url, "&".join(f"{k}={v}" for k, v in fields.items()), URLENCODED)

    def copy(self):
        """The same browser at another request."""
        other = Browser()
        other.cookies.load({name: morsel.value for name, morsel in self.cookies.items()})
        return other


@pytest.fixture
def visitor():
    return Browser()


def signed_up(browser):
    browser.send(browser.fill_in("/accounts/signup/", **SIGN_UP))


def code(browser):
    signed_up(browser)
    return browser.fill_in(VERIFY, code=code_in(mail.outbox[-1]))


def link(browser):
    signed_up(Browser())
    return browser.fill_in(link_in(mail.outbox[-1]))


def correction(browser):
    signed_up(browser)
    return browser.fill_in(VERIFY, email="ada@new.example")


def reset(browser):
    browser.send(browser.fill_in("/accounts/password/reset/", email="bob@example.org"))
    return browser.fill_in(link_in(mail.outbox[-1]), new_password1=NEW, new_password2=NEW)


def own(path, **fields):
    def own(browser):
        for other in (Browser(), browser):
            other.send(other.fill_in(LOGIN, username="bob", password=PASSWORD))
        row = RefreshToken.objects.earliest("created_at")
        return browser.fill_in(path.format(row), **fields)

    return own


def changed(browser):
    form = own("/accounts/email/", email="bob@new.example")(browser)
    browser.send(form)
    browser.send(browser.fill_in(VERIFY, code=code_in(mail.outbox[-1])))


def undo(browser):
    changed(browser)
    return browser.fill_in(link_in(mail.outbox[-1], "undo"))


def keep(browser):
    User.objects.update(deletion_due_at=timezone.now())
    return own("/accounts/keep/")(browser)


FORMS = {
    "sign up": lambda browser: browser.fill_in("/accounts/signup/", **SIGN_UP),
    "sign in": lambda browser: browser.fill_in(LOGIN, username="bob", password=PASSWORD),
    "confirm by the code": code,
    "confirm by the link": link,
    "correct the address": correction,
    "ask for a link": lambda browser: browser.fill_in("/accounts/password/reset/", email="bob@example.org"),
    "save the password": reset,
    "change the password": own(
        "/accounts/password/change/", old_password=PASSWORD, new_password1=NEW, new_password2=NEW
    ),
    "change the user name": own("/accounts/username/", username="bobby"),
    "change the address": own("/accounts/email/", email="bob@new.example"),
    "put the address back": undo,
    "save the profile": own("/accounts/profile/", first_name="Bob"),
    "name a session": own("/accounts/sessions/{}/name/", name="Work"),
    "end a session": own("/accounts/sessions/{}/end/"),
    "end the others": own("/accounts/sessions/end-others/"),
    "end all": own("/accounts/sessions/end-all/"),
    "delete": own("/accounts/delete/"),
    "keep": keep,
}

TELL_IT_ON_THE_NEXT_PAGE = {"sign up", "sign in", "ask for a link", "change the address", "save the password"}


@pytest.mark.parametrize("form", FORMS)
def test_the_second_is_answered_as_the_first_and_does_nothing(visitor, bob, form):
    sends = FORMS[form](visitor)
    events, mails, rows = kinds(), sent(), RefreshToken.objects.count()
    first, second = together([partial(visitor.copy().send, sends) for _ in range(2)])
    assert first.status_code == second.status_code == 302, second.content.decode()
    assert (first.headers["Location"], first.cookies) == (second.headers["Location"], second.cookies)
    assert ("__Host-messages" in second.cookies) is (form not in TELL_IT_ON_THE_NEXT_PAGE)
    done = Counter([*kinds()[len(events) :], *map(str, sent()[len(mails) :])])
    assert set(done.values()) <= {1}
    assert RefreshToken.objects.count() <= rows + 1


class TestTheAnswer:
    def test_brings_what_the_browser_did_not_get_the_first_time(self, visitor, bob):
        """A double click drops the first answer, with its cookies: the old ones sign nobody in any more."""
        fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
        form = own("/accounts/password/change/", **fields)(visitor)
        visitor.copy().send(form)
        visitor.send(form)
        assert visitor.get("/accounts/sessions/").status_code == 200

    def test_is_for_that_view_of_the_form(self, visitor, bob):
        for name in ("Anna", "Bea", "Anna"):
            visitor.send(own("/accounts/profile/", first_name=name)(visitor))
            bob.refresh_from_db()
            assert bob.first_name == name

    def test_is_for_that_browser(self, visitor, bob):
        """Or a stranger could sign others in to the stranger's account."""
        form = FORMS["sign in"](visitor)
        visitor.send(form)
        other = Browser()
        other.get(LOGIN)
        assert other.send(form).status_code == 403

    def test_is_not_kept_if_nothing_was_done(self, visitor, bob):
        form = visitor.fill_in(LOGIN, username="bob", password="wrong")
        assert [visitor.send(form).status_code for _ in range(2)] == [200, 200]
        assert kinds() == ["sign_in_failed"] * 2

    def test_is_not_kept_if_the_view_was_not_reached(self, visitor, bob):
        """What stood in the way may be gone when the browser goes back to the form."""
        form = own("/accounts/profile/", first_name="Robert")(visitor)
        User.objects.update(deletion_due_at=timezone.now())
        assert visitor.send(form).headers["Location"] == "/accounts/keep/"
        User.objects.update(deletion_due_at=None)
        visitor.send(form)
        bob.refresh_from_db()
        assert bob.first_name == "Robert"

    @pytest.mark.parametrize("url", ["/accounts/language/", "/accounts/logout/"])
    def test_is_not_kept_of_what_anybody_may_do_as_often_as_they_like(self, visitor, db, url):
        _, fields = visitor.fill_in(LOGIN, language="de")
        assert visitor.send((url, fields)).status_code == 302
        assert not [key for key in cache._cache if ":form:" in key]

    def test_is_not_kept_until_the_browser_has_settled_on_newer_tokens(self, visitor, bob, clock, settings):
        settings.TOKENS_CONFIRM_AFTER = 20
        form = FORMS["sign in"](visitor)
        visitor.copy().send(form)
        clock.shift(11)
        visitor.copy().send(form)
        assert RefreshToken.objects.count() == 2

    def test_is_kept_for_a_minute_and_for_nobody_who_reads_the_cache(self, visitor, bob, clock):
        form = FORMS["sign in"](visitor)
        tokens = [visitor.copy().send(form).cookies["__Host-refresh"].value]
        assert not any(tokens[0].encode() in value for value in cache._cache.values())
        for shift in (59, 2):
            clock.shift(shift)
            tokens.append(visitor.copy().send(form).cookies["__Host-refresh"].value)
        assert (tokens[0] == tokens[1], tokens[1] == tokens[2]) == (True, False)

    def test_is_looked_for_by_a_digest_however_long_the_form_is(self, rf, settings):
        rf.cookies[settings.CSRF_COOKIE_NAME] = "x" * 32
        forms = [
            repeated_forms.sent_form(rf.post("/", f"csrfmiddlewaretoken={n * 'y'}", URLENCODED)) for n in (1, 9**6)
        ]
        assert [len(form.identity) for form in forms] == [32, 32] and forms[0] != forms[1]

    def test_is_waited_for_only_so_long(self, visitor, bob, monkeypatch):
        monkeypatch.setattr(repeated_forms, "LONGEST_WAIT", 0.1)
        monkeypatch.setattr(repeated_forms.SentForm, "keep", lambda *args: None)  # the first process has died
        form = FORMS["sign in"](visitor)
        assert [visitor.copy().send(form).status_code for _ in range(2)] == [302, 302]
        assert RefreshToken.objects.count() == 2

    def test_is_waited_for_in_so_few_that_others_can_sign_in(self, visitor, bob, rf, monkeypatch):
        """A form that is sent to a provider which is slow is pending for as long as that takes."""
        monkeypatch.setattr(hashers, "queue", hashers.HashQueue(capacity=8))
        form, own = FORMS["ask for a link"](visitor), Browser()
        with monkeypatch.context() as pending:
            pending.setattr(repeated_forms.SentForm, "keep", lambda *args: None)
            visitor.copy().send(form)
        copies = [rf.get("/") for _ in range(8)]
        assert sum(hashers.queue.join_as_copy(copy, STRANGERS_SHARE) for copy in copies) == 2
        assert visitor.copy().send(form).status_code == 503
        assert own.send(FORMS["sign in"](own)).status_code == 302
        for copy in copies:
            hashers.queue.leave(copy)
        assert hashers.queue.join_as_copy(copies[0], STRANGERS_SHARE)

    def test_is_waited_for_in_no_more_threads_than_guesses_may_hold(self, visitor, bob, rf, monkeypatch):
        monkeypatch.setattr(hashers, "queue", hashers.HashQueue(capacity=8))
        form = FORMS["sign in"](visitor)
        monkeypatch.setattr(repeated_forms.SentForm, "keep", lambda *args: None)  # it is still being made
        visitor.copy().send(form)
        others = [rf.get("/") for _ in range(8)]
        for other in others:
            hashers.queue.join(other, 1.0)
        response = visitor.copy().send(form)
        assert response.status_code == 503 and int(response.headers["Retry-After"]) >= RETRY_AFTER
        monkeypatch.setattr(repeated_forms, "LONGEST_WAIT", 0.1)
        for other in others:
            hashers.queue.leave(other)
        assert visitor.copy().send(form).status_code == 302
        assert all(hashers.queue.join(other, 1.0) for other in others)  # whoever waited has left

"""Another password: changed, or chosen anew by a mail: one link, one use, and what it ends."""

import re
import threading
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode

from accounts.forms import PasswordChangeForm, SetPasswordForm
from accounts.models import EmailVerification, OutgoingMail, SecurityEvent, User
from accounts.security.reset_tokens import reset_tokens
from tests.accounts.conftest import CHROME, sent, statements
from tests.accounts.mail_contents import link_in
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

CHANGE = "/accounts/password/change/"
RESET = "/accounts/password/reset/"
NEW = "an entirely new one"


class TestChange:
    @pytest.fixture
    def change(self, here, committing):
        def change(old=PASSWORD, new=NEW, again=NEW):
            with committing():
                fields = {"old_password": old, "new_password1": new, "new_password2": again}
                return here.post(CHANGE, fields, follow=True)

        return change

    def test_this_device_stays_and_the_others_end(self, change, here, there, bob, sign_in):
        sign_in(here, bob, remember="on")
        assert change().redirect_chain == [("/accounts/sessions/", 302)]
        assert here.get(CHANGE).status_code == 200
        assert there.get(CHANGE).status_code == 302
        assert RefreshToken.objects.get(user_agent=CHROME).reason == RefreshToken.Reason.PASSWORD
        assert RefreshToken.objects.live().get().remember
        bob.refresh_from_db()
        assert bob.check_password(NEW)

    def test_needs_the_old_one(self, change, bob):
        response = change(old="not it")
        assert response.context["form"].errors.keys() == {"old_password"}
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)

    def test_refuses(self, change):
        """Each rule for passwords is tried at the sign-up; this one has to know whose password it is."""
        response = change(new="bob@example.org", again="bob@example.org")
        assert response.context["form"].errors.keys() == {"new_password2"}

    def test_leaves_the_rest_of_the_person_as_others_made_it(self, change, bob, monkeypatch):
        """A form that was read before an administrator's change must not write the old state back."""

        clean = PasswordChangeForm.clean

        def meanwhile(form):
            User.objects.filter(pk=bob.pk).update(first_name="Robert", is_active=False)
            return clean(form)

        monkeypatch.setattr(PasswordChangeForm, "clean", meanwhile)
        change()

        bob.refresh_from_db()
        assert (bob.first_name, bob.is_active) == ("Robert", False)

    def test_buries_no_other_mail_under_its_own(self, change):
        """A thief who knows the password could change it back and forth all day."""
        words = [PASSWORD, *(f"{NEW} {number}" for number in range(11))]
        answers = [change(old, new, new).status_code for old, new in pairwise(words)]
        assert answers == [200] * 10 + [429]
        assert len(mail.outbox) == 10

    def test_is_recorded_and_told_by_mail(self, change, bob):
        change()
        assert SecurityEvent.objects.first().kind == "password_changed"
        assert sent() == [("password_changed", ["bob@example.org"])]


@pytest.fixture
def ask(client, committing):
    def ask(address="bob@example.org", **extra):
        with committing():
            return client.post(RESET, {"email": address}, **extra)

    return ask


@pytest.fixture
def link(bob, ask):
    ask()
    return link_in(mail.outbox.pop())


class TestAsk:
    def test_answers_every_address_alike_and_costs_the_same(self, ask, bob):
        User.objects.create_user("inactive", "inactive@example.org", PASSWORD, is_active=False)
        User.objects.create_user("unusable", "unusable@example.org", None)
        answers = set()
        for name in ("bob", "nobody", "inactive", "unusable"):
            with CaptureQueriesContext(connection) as queries:
                response = Client().post(RESET, {"email": f"{name}@example.org"})
            said = response.status_code, response.headers["Location"], response.content
            answers.add((*said, *statements(queries), OutgoingMail.objects.count()))
            assert OutgoingMail.objects.get().to == (
                "bob@example.org" if name == "bob" else ""
            )  # no stranger's address
            OutgoingMail.objects.all().delete()
        assert {answer[:3] for answer in answers} == {(302, "/accounts/password/reset/done/", b"")}
        assert len(answers) == 1

    def test_writes_to_the_address_as_it_is_stored(self, ask, bob):
        ask("BOB@EXAMPLE.ORG")
        ask("nobody@example.org")
        assert sent() == [("password_reset", ["bob@example.org"])]
        events = SecurityEvent.objects.order_by("pk")
        assert [(event.kind, event.user) for event in events] == [("reset_asked", bob)]  # and no row about nobody


class TestConfirm:
    def test_sets_the_password_and_signs_nobody_in(self, client, link, bob, committing):
        form = form_of(client, link)
        with committing():
            assert choose(client, form).headers["Location"] == "/accounts/password/reset/complete/"
        assert client.get("/accounts/password/reset/complete/").status_code == 200
        assert client.get("/accounts/profile/").status_code == 302
        bob.refresh_from_db()
        assert bob.check_password(NEW)
        assert sent() == [("password_changed", ["bob@example.org"])]
        assert SecurityEvent.objects.first().kind == "password_reset"
        assert dead(Client().get(link))

    def test_a_wrong_link_says_so_and_that_an_old_one_has_expired_whoever_it_is_for(self, client, db, bob):
        old, new = (
            reset_tokens._make_token_with_timestamp(bob, reset_tokens._num_seconds(when), "k")
            for when in (datetime(2001, 1, 2), datetime.now())
        )
        for key in (urlsafe_base64_encode(str(bob.pk).encode()), "MQ", "%F0"):
            for token, expired in ((old, True), (new, False), ("x", False), ("set-password", False)):
                response = client.get(f"/accounts/password/reset/{key}/{token}/")
                assert (response.context["dead"].title == "This link has expired") == expired

    def test_holds_the_rules_for_passwords(self, client, link):
        response = choose(client, form_of(client, link), "bob@example")
        assert "new_password2" in response.context["form"].errors


def dead(response):
    """Whether the page says that the link does nothing."""
    return response.context["dead"] is not None


def form_of(client, link):
    """The page without the token, to which the link leads."""
    response = client.get(link)
    assert (response.status_code, response.headers["Referrer-Policy"]) == (302, "no-referrer")
    clean = response.headers["Location"]
    assert clean == re.sub(r"[^/]+/$", "set-password/", link)
    return clean


def choose(client, form, password=NEW):
    return client.post(form, {"new_password1": password, "new_password2": password})


class TestTheLink:
    def test_leaves_the_address_bar_and_no_other_site_hears_of_it(self, link, client):
        page = client.get(form_of(client, link))
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert link.split("/")[-2] not in page.content.decode()

    def test_a_scanner_that_follows_it_changes_nothing(self, link, bob):
        for way in ("get", "head", "get"):
            getattr(Client(), way)(link, follow=True)
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)
        form_of(Client(), link)

    def test_works_for_an_hour(self, link, client, settings):
        settings.PASSWORD_RESET_TIMEOUT = -1
        assert dead(client.get(link))

    @pytest.mark.parametrize("field", ["password_changed_at", "email"])
    def test_is_dead_once_the_account_has_moved_on(self, link, client, bob, field):
        form = form_of(client, link)
        User.objects.update(**{field: {"password_changed_at": timezone.now(), "email": "elsewhere@example.org"}[field]})
        for response in (client.get(form), choose(client, form), Client().get(link)):
            assert dead(response)
            assert response.headers["Referrer-Policy"] == "no-referrer"

    def test_lives_whoever_signs_in_meanwhile(self, link, client, bob, sign_in):
        """A thief who knows the password would make every link useless before its owner has read the mail."""
        form = form_of(client, link)
        thief = Client()
        sign_in(thief, bob)
        fields = {"username": "bob", "password": PASSWORD}
        assert thief.post("/api/auth/login", fields, content_type="application/json").status_code == 200
        assert choose(client, form).status_code == 302
        assert thief.get(CHANGE).status_code == 302  # to the log-in page
        assert dead(Client().get(link))

    def test_the_page_is_of_no_use_to_another_browser(self, link, client, bob):
        assert dead(choose(Client(), form_of(client, link)))
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)


class TestANewPassword:
    def test_ends_every_session_that_of_this_browser_too(self, here, there, bob, committing):
        with committing():
            here.post(RESET, {"email": "bob@example.org"})
        choose(here, form_of(here, link_in(mail.outbox.pop())))
        assert not RefreshToken.objects.live().exists()
        for browser in (here, there):
            assert browser.get("/accounts/sessions/").status_code == 302

    @pytest.mark.parametrize("before", [None, datetime(2026, 1, 1, tzinfo=UTC)])
    def test_confirms_the_address_whose_mailbox_the_link_was_in_unless_it_was(self, link, client, bob, before):
        User.objects.update(email_verified_at=before)
        choose(client, form_of(client, link))
        bob.refresh_from_db()
        assert bob.email_verified_at == before if before else bob.email_verified_at is not None

    def test_kills_what_somebody_has_asked_for_meanwhile(self, bob, client, sign_in, committing):
        """A thief at an open screen asks for another address, and the owner resets the password."""
        sign_in(client, bob)
        with committing():
            client.post("/accounts/email/", {"email": "thief@example.org"})
        stolen = link_in(mail.outbox.pop())
        with committing():
            Client().post(RESET, {"email": "bob@example.org"})
        browser = Client()
        with committing():
            choose(browser, form_of(browser, link_in(mail.outbox.pop())))
        assert Client().get(stolen).context["verification"] is None
        assert not EmailVerification.objects.exists()
        assert "We cancelled a pending change of your email address." in mail.outbox[-1].body


class TestTheOldPassword:
    """Whoever it was changed because of may know it."""

    def test_is_no_new_one(self, here, bob, sign_in):
        same = {"new_password1": PASSWORD, "new_password2": PASSWORD}
        answer = here.post(CHANGE, {"old_password": PASSWORD, **same})
        assert answer.context["form"].errors.keys() == {"new_password1"}
        link, reader = urlsafe_base64_encode(str(bob.pk).encode()), Client()
        form = reader.get(f"{RESET}{link}/{reset_tokens.make_token(bob)}/").headers["Location"]
        assert reader.post(form, same).context["form"].errors.keys() == {"new_password1"}
        assert reader.post(form, {"new_password1": NEW, "new_password2": NEW}).status_code == 302


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_of_three_who_use_one_link_exactly_one_sets_the_password(self, bob):
        Client().post(RESET, {"email": "bob@example.org"})
        link = link_in(mail.outbox.pop())
        tries = [(Client(), f"{NEW} {n}") for n in range(3)]
        forms = [form_of(browser, link) for browser, _ in tries]
        calls = [lambda n=n: choose(tries[n][0], forms[n], tries[n][1]) for n in range(3)]
        answers = together(calls)
        assert sorted(answer.status_code for answer in answers) == [200, 200, 302]
        assert [dead(answer) for answer in answers if answer.status_code == 200] == [True, True]
        bob.refresh_from_db()
        assert [bob.check_password(new) for _, new in tries] == [answer.status_code == 302 for answer in answers]
        assert SecurityEvent.objects.filter(kind="password_reset").count() == 1
        assert sent() == [("password_changed", ["bob@example.org"])]

    def test_the_one_who_comes_later_finds_the_link_used_although_it_was_good_when_looked_at(self, bob, monkeypatch):
        """The check before the form is one thing, the one under the lock another."""

        Client().post(RESET, {"email": "bob@example.org"})
        link = link_in(mail.outbox.pop())
        first, second = Client(), Client()
        forms = form_of(first, link), form_of(second, link)
        clean = SetPasswordForm.clean
        turn = threading.Event()

        def meanwhile(form):
            if not turn.is_set():
                turn.set()
                assert choose(first, forms[0], NEW).status_code == 302
            return clean(form)

        monkeypatch.setattr(SetPasswordForm, "clean", meanwhile)
        assert dead(choose(second, forms[1], "the other one's"))
        bob.refresh_from_db()
        assert bob.check_password(NEW)

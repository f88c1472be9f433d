"""A new password by mail: one link, one use, and what it ends."""

import re
import threading

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import AddressProof, SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX
from tests.accounts.letters import link_in
from tests.conftest import PASSWORD
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.testing import Client

ASK = "/accounts/password/reset/"
DEAD = "This link does not work"
NEW = "an entirely new one"


@pytest.fixture
def link(bob, committing):
    with committing():
        Client().post(ASK, {"email": "bob@example.org"})
    return link_in(mail.outbox.pop())


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
        assert DEAD in client.get(link).content.decode()

    def test_is_an_hour_by_the_settings(self, settings):
        assert settings.PASSWORD_RESET_TIMEOUT == 3600

    @pytest.mark.parametrize("field", ["password", "email", "last_login"])
    def test_is_dead_once_the_account_has_moved_on(self, link, client, bob, field):
        form = form_of(client, link)
        new = {"password": "argon2$x", "email": "elsewhere@example.org", "last_login": timezone.now()}[field]
        User.objects.update(**{field: new})
        for response in (client.get(form), choose(client, form), Client().get(link)):
            assert DEAD in response.content.decode()
            assert response.headers["Referrer-Policy"] == "no-referrer"

    def test_the_page_is_of_no_use_to_another_browser(self, link, client, bob):
        form = form_of(client, link)
        assert DEAD in choose(Client(), form).content.decode()
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)

    def test_a_person_deleted_in_between_leaves_a_link_that_does_nothing(self, link, client, bob):
        form = form_of(client, link)
        bob.delete()
        for response in (choose(client, form), client.get(link)):
            assert DEAD in response.content.decode()


class TestANewPassword:
    def test_ends_every_session_that_of_this_browser_too(self, bob, using, sign_in, committing):
        here, there = using(FIREFOX), using(CHROME)
        for browser in (there, here):
            sign_in(browser, bob)
        with committing():
            here.post(ASK, {"email": "bob@example.org"})
        response = choose(here, form_of(here, link_in(mail.outbox.pop())))
        assert response.headers["Location"] == "/accounts/password/reset/complete/"
        assert not RefreshToken.objects.live().exists()
        for browser in (here, there):
            assert browser.get("/accounts/sessions/").status_code == 302

    def test_confirms_the_address_whose_mailbox_the_link_was_in(self, link, client, bob):
        choose(client, form_of(client, link))
        bob.refresh_from_db()
        assert bob.verified_at is not None

    def test_leaves_the_day_of_an_address_that_was_confirmed_before(self, link, client, bob):
        User.objects.update(verified_at="2026-01-01T00:00Z")
        choose(client, form_of(client, link))
        bob.refresh_from_db()
        assert bob.verified_at.isoformat() == "2026-01-01T00:00:00+00:00"

    def test_kills_what_somebody_has_asked_for_meanwhile(self, bob, client, sign_in, committing):
        """A thief at an open screen asks for another address, and the owner resets the password."""
        sign_in(client, bob)
        with committing():
            client.post("/accounts/email/", {"email": "thief@example.org"})
        stolen = link_in(mail.outbox.pop())
        with committing():
            Client().post(ASK, {"email": "bob@example.org"})
        browser = Client()
        choose(browser, form_of(browser, link_in(mail.outbox.pop())))
        assert DEAD in Client().get(stolen).content.decode()
        assert AddressProof.objects.get().confirmed_at is None

    def test_leaves_the_rest_of_the_person_as_others_made_it(self, link, client, bob, monkeypatch):
        from accounts.forms import PasswordForm

        clean = PasswordForm.clean

        def meanwhile(form):
            User.objects.filter(pk=bob.pk).update(first_name="Robert")
            return clean(form)

        monkeypatch.setattr(PasswordForm, "clean", meanwhile)
        choose(client, form_of(client, link))
        bob.refresh_from_db()
        assert (bob.first_name, bob.check_password(NEW)) == ("Robert", True)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_of_two_who_use_one_link_exactly_one_sets_the_password(self, bob):
        Client().post(ASK, {"email": "bob@example.org"})
        link = link_in(mail.outbox.pop())
        browsers = [Client() for _ in range(3)]
        forms = [form_of(browser, link) for browser in browsers]
        answers = together(
            [
                lambda browser=browser, form=form, n=n: choose(browser, form, f"{NEW} {n}")
                for n, (browser, form) in enumerate(zip(browsers, forms, strict=True))
            ]
        )
        won = [n for n, response in enumerate(answers) if response.status_code == 302]
        assert len(won) == 1
        assert [DEAD in answer.content.decode() for n, answer in enumerate(answers) if n not in won] == [True] * 2
        bob.refresh_from_db()
        assert [bob.check_password(f"{NEW} {n}") for n in range(3)].index(True) == won[0]
        assert SecurityEvent.objects.filter(kind="password_reset").count() == 1
        assert [message.subject for message in mail.outbox] == ["Your password was changed"]

    def test_the_one_who_comes_later_finds_the_link_used_although_it_was_good_when_looked_at(self, bob, monkeypatch):
        """The check before the form is one thing, the one under the lock another."""
        from accounts.forms import PasswordForm

        Client().post(ASK, {"email": "bob@example.org"})
        link = link_in(mail.outbox.pop())
        first, second = Client(), Client()
        forms = form_of(first, link), form_of(second, link)
        clean = PasswordForm.clean
        turn = threading.Event()

        def meanwhile(form):
            if not turn.is_set():
                turn.set()
                assert choose(first, forms[0], NEW).status_code == 302
            return clean(form)

        monkeypatch.setattr(PasswordForm, "clean", meanwhile)
        assert DEAD in choose(second, forms[1], "the other one's").content.decode()
        bob.refresh_from_db()
        assert bob.check_password(NEW)

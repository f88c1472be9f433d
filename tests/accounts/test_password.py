"""Changing a password, and getting a new one by mail."""

import re

import pytest
from django.core import mail
from django.urls import reverse

from accounts.models import SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

CHANGE = "/accounts/password/change/"
RESET = "/accounts/password/reset/"
NEW = "an entirely new one"


class TestChange:
    @pytest.fixture
    def here(self, using, bob, sign_in):
        client = using(FIREFOX)
        sign_in(client, bob, remember="on")
        return client

    @pytest.fixture
    def change(self, here, committing):
        def change(old=PASSWORD, new=NEW, again=NEW):
            with committing():
                fields = {"old_password": old, "new_password1": new, "new_password2": again}
                return here.post(CHANGE, fields, follow=True)

        return change

    def test_this_device_stays_and_the_others_end(self, here, change, using, bob, sign_in):
        there = using(CHROME)
        sign_in(there, bob)

        page = change().content.decode()

        assert "Your password was changed." in page
        assert here.get(CHANGE).status_code == 200
        assert "The password was changed." in there.get(CHANGE, follow=True).content.decode()
        assert RefreshToken.objects.live().get().remember

    def test_the_new_password_is_the_one_that_opens(self, change, client, bob, sign_in):
        change()

        sign_in(client, bob, password=NEW)
        assert Client().post(reverse("login"), {"username": "bob", "password": PASSWORD}).status_code == 200

    def test_needs_the_old_one(self, change, bob):
        response = change(old="not it")

        assert response.context["form"].errors.keys() == {"old_password"}
        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)

    @pytest.mark.parametrize("new", ["short 7", "password123", "bob@example.org", "x" * 1025])
    def test_refuses(self, change, bob, new):
        change(new=new, again=new)

        bob.refresh_from_db()
        assert bob.check_password(PASSWORD)

    def test_leaves_the_rest_of_the_person_as_others_made_it(self, change, bob, monkeypatch):
        """A form that was read before an administrator's change must not write the old state back."""
        from accounts.forms import PasswordChangeForm

        clean = PasswordChangeForm.clean

        def meanwhile(form):
            User.objects.filter(pk=bob.pk).update(first_name="Robert", is_active=False)
            return clean(form)

        monkeypatch.setattr(PasswordChangeForm, "clean", meanwhile)
        change()

        bob.refresh_from_db()
        assert (bob.first_name, bob.is_active) == ("Robert", False)

    def test_is_recorded_and_told_by_mail(self, change, bob):
        change()

        assert SecurityEvent.objects.first().kind == "password_changed"
        [message] = mail.outbox
        assert (message.subject, message.to) == ("Your password was changed", ["bob@example.org"])


@pytest.fixture
def ask(client, committing):
    def ask(address="bob@example.org", **extra):
        with committing():
            return client.post(RESET, {"email": address}, **extra)

    return ask


@pytest.fixture
def link(bob, ask):
    ask()
    [found] = re.findall(r"http://testserver(/\S+)", mail.outbox.pop().body)
    return found


class TestAsk:
    def test_sends_a_link(self, ask, bob):
        ask()

        [message] = mail.outbox
        assert (message.subject, message.to) == ("Choose a new password", ["bob@example.org"])
        assert "Hello bob," in message.body
        assert "your password stays as it is" in message.body

    def test_answers_every_address_alike(self, ask, bob):
        User.objects.create_user("inactive", "inactive@example.org", PASSWORD, is_active=False)
        User.objects.create_user("unusable", "unusable@example.org", None)

        answers = {
            (response.status_code, response.headers["Location"], response.content)
            for response in map(
                ask, ("bob@example.org", "nobody@example.org", "inactive@example.org", "unusable@example.org")
            )
        }

        assert answers == {(302, "/accounts/password/reset/done/", b"")}
        assert [message.to for message in mail.outbox] == [["bob@example.org"]]

    def test_writes_to_the_address_as_it_is_stored(self, ask, bob):
        ask("BOB@EXAMPLE.ORG")

        assert [message.to for message in mail.outbox] == [["bob@example.org"]]

    @pytest.mark.parametrize(
        "header",
        [
            {"host": "localhost"},
            {"host": "testserver:8888"},
            {"x-forwarded-host": "evil.example"},
            {"x-host": "evil.example"},
        ],
    )
    def test_the_link_leads_to_the_configured_host(self, ask, bob, header):
        ask(headers=header)

        [message] = mail.outbox
        assert re.findall(r"https?://[^/\s]+", message.body) == ["http://testserver"]

    def test_somebody_elses_host_is_refused(self, ask, bob):
        assert ask(headers={"host": "evil.example"}).status_code == 400
        assert not mail.outbox

    def test_is_recorded_alike(self, ask, bob):
        ask()
        ask("nobody@example.org")

        assert [(event.kind, event.user) for event in SecurityEvent.objects.order_by("pk")] == [
            ("reset_asked", bob),
            ("reset_asked", None),
        ]

    def test_a_mail_server_that_is_down_changes_no_answer(self, ask, bob, settings, caplog):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

        assert ask().status_code == 302
        assert "The mail 'password_reset' could not be sent." in caplog.text


class TestConfirm:
    def open(self, client, link):
        """Follow the link as browsers do: the token leaves the address bar."""
        response = client.get(link)
        assert response.headers["Location"].endswith("/set-password/")
        return response.headers["Location"]

    def test_sets_the_password_and_signs_nobody_in(self, client, link, bob, committing):
        form = self.open(client, link)
        with committing():
            response = client.post(form, {"new_password1": NEW, "new_password2": NEW}, follow=True)

        assert "Your password is new" in response.content.decode()
        assert client.get("/accounts/profile/").status_code == 302
        bob.refresh_from_db()
        assert bob.check_password(NEW)
        assert [message.subject for message in mail.outbox] == ["Your password was changed"]
        assert SecurityEvent.objects.first().kind == "password_reset"

    def test_ends_every_session(self, client, link, bob, using, sign_in):
        there = using(CHROME)
        there.force_login(bob)
        # A sign-in uses the link up, so the link is from after it.
        bob.refresh_from_db()
        from django.contrib.auth.tokens import default_token_generator

        fresh = link.rsplit("/", 2)[0] + f"/{default_token_generator.make_token(bob)}/"
        form = self.open(client, fresh)

        client.post(form, {"new_password1": NEW, "new_password2": NEW})

        assert not RefreshToken.objects.live().exists()
        assert "The password was changed." in there.get("/accounts/profile/", follow=True).content.decode()

    def test_works_once(self, client, link):
        form = self.open(client, link)
        client.post(form, {"new_password1": NEW, "new_password2": NEW})

        assert "This link does not work" in Client().get(link).content.decode()

    def test_signing_in_uses_it_up(self, client, link, bob, sign_in):
        sign_in(client, bob)

        assert "This link does not work" in Client().get(link).content.decode()

    @pytest.mark.parametrize("wrong", ["/accounts/password/reset/MQ/abc-def/", "/accounts/password/reset/%F0/x/"])
    def test_a_wrong_link_says_so(self, client, db, wrong):
        response = client.get(wrong)

        assert response.status_code == 200
        assert "This link does not work" in response.content.decode()

    def test_holds_the_rules_for_passwords(self, client, link, bob):
        form = self.open(client, link)

        response = client.post(form, {"new_password1": "bob@example", "new_password2": "bob@example"})

        assert "new_password2" in response.context["form"].errors

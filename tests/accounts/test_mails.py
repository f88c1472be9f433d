"""Mails: what they say, and that they never break a page."""

from html import escape

import pytest
from django.core import mail
from django.db import transaction

from accounts import mails
from accounts.models import OutgoingMail, SecurityEvent, User
from tests.accounts.conftest import FIREFOX
from tokens.models import RefreshToken
from tokens.signals import reuse_found


class TestSend:
    @pytest.mark.django_db(transaction=True)
    def test_goes_out_after_the_commit(self, bob):
        with transaction.atomic():
            mails.send("account_ready", bob)
            assert not mail.outbox

        assert len(mail.outbox) == 1

    @pytest.mark.django_db(transaction=True)
    def test_what_is_rolled_back_is_not_told(self, bob):
        with pytest.raises(RuntimeError), transaction.atomic():
            mails.send("account_ready", bob)
            raise RuntimeError

        assert not mail.outbox
        assert not OutgoingMail.objects.exists()

    def test_text_is_text(self, bob, committing):
        name = "<b> & 'c'"
        User.objects.filter(pk=bob.pk).update(username=name)
        with committing():
            mails.send("account_ready", bob)

        [message] = mail.outbox
        assert name in message.body
        assert escape(name) not in message.body

    @pytest.mark.parametrize(
        "template",
        ["account_ready", "account_exists", "name_taken", "password_reset", "password_changed", "reuse_found"],
    )
    def test_every_mail_has_a_subject_and_a_body(self, bob, committing, template):
        with committing():
            mails.send(template, bob, name="bob")

        [message] = mail.outbox
        assert 10 < len(message.subject) < 60
        assert message.body.startswith("Hello")
        assert "{" not in message.body


class TestReuseFound:
    @pytest.fixture
    def message(self, rf, client, bob, sign_in, committing):
        sign_in(client, bob)
        request = rf.get("/", headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.7")
        with committing():
            reuse_found.send(RefreshToken, request=request, row=RefreshToken.objects.get(), count=1)
        [message] = mail.outbox
        return message

    def test_says_when_where_and_which_browser(self, message):
        event = SecurityEvent.objects.first()
        assert message.subject == "We signed you out for your safety"
        assert message.to == ["bob@example.org"]
        assert f"{event.at:%-d %B %Y, %H:%M} UTC" in message.body
        assert "203.0.113.7" in message.body
        assert "Firefox 128 on Linux" in message.body

    def test_says_what_to_do(self, message):
        assert "http://testserver/accounts/password/change/" in message.body
        assert "http://testserver/accounts/activity/" in message.body

    def test_is_recorded(self, message, bob):
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.session) == ("reuse_found", bob, RefreshToken.objects.get().pk)

    def test_a_row_without_its_person_is_recorded_and_told_to_nobody(self, rf, client, bob, sign_in, committing):
        sign_in(client, bob)
        RefreshToken.objects.update(user=None)
        with committing():
            reuse_found.send(RefreshToken, request=rf.get("/"), row=RefreshToken.objects.get(), count=1)

        assert SecurityEvent.objects.first().kind == "reuse_found"
        assert not mail.outbox

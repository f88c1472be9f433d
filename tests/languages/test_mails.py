"""Each mail in the language of its reader."""

import re

import pytest
from django.core.management import call_command
from django.utils import timezone, translation

from accounts.mails import outbox
from accounts.models import OutgoingMail, User
from tests.accounts.test_mail_messages import KINDS, html, written  # noqa: F401  (a fixture)
from tests.conftest import PASSWORD
from tests.languages.catalogue import LANGUAGES
from tests.languages.reader import ENGLISH, english


@pytest.mark.once
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_mail_has_english_in_it(language, bob, written):  # noqa: F811
    bob.language = language
    for kind in KINDS:
        for failures in (0, 1, 5):  # which is what one of them counts
            message = written(kind, failures=failures)
            assert not ENGLISH.search(re.sub(r"http\S+", "", f"{message.subject}\n{message.body}")), kind
            assert english(html(message)) == [], kind
            assert f'<html lang="{language}">' in html(message), kind
            assert f"{timezone.now():%Y}" in message.body, kind


class TestWhoDecides:
    def test_its_reader_and_nobody_who_makes_us_write(self, bob):
        User.objects.filter(pk=bob.pk).update(language="de")
        bob.refresh_from_db()
        with translation.override("zh-hans"):
            outbox.enqueue("reuse_found", bob)
        assert OutgoingMail.objects.get().language == "de"

    def test_whoever_asks_if_nothing_is_known_of_the_reader(self, client, bob):
        client.post("/accounts/password/reset/", {"email": bob.email}, headers={"accept-language": "es"})
        assert OutgoingMail.objects.get().language == "es"

    def test_the_sign_up_says_it_for_the_time_to_come(self, db, client):
        fields = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
        client.post("/accounts/signup/", fields, headers={"accept-language": "de"})
        assert User.objects.get().language == OutgoingMail.objects.get().language == "de"

    def test_a_command_knows_it_too(self, bob):
        User.objects.filter(pk=bob.pk).update(language="zh-hans", deletion_due_at=timezone.now())
        call_command("tidyaccounts", verbosity=0)
        assert OutgoingMail.objects.get().language == "zh-hans"

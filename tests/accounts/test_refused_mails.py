"""What becomes of mails that the mail server refuses because of whom they are for: a visitor chose that."""

import logging

import pytest
from django.utils import timezone
from prometheus_client import REGISTRY

from accounts.mails import worker
from accounts.models import EmailVerification, OutgoingMail, User
from accounts.models.outgoing_mail import RETENTION
from tests.conftest import PASSWORD
from tokens.testing import Client

VERIFY = "/accounts/email/verify/"
REFUSED = "We couldn't deliver our email to ada@example.org."


@pytest.fixture
def sign_up(db, smtp, committing):
    """`sign_up(email, name="ada")`: the browser of a stranger who has just signed up."""

    def sign_up(email="ada@example.org", name="ada"):
        browser = Client()
        fields = {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
        with committing():
            assert browser.post("/accounts/signup/", fields).status_code == 302
        return browser

    return sign_up


def page(response):
    return response.content.decode()


def count(outcome):
    return REGISTRY.get_sample_value("sojourn_mails_total", {"outcome": outcome}) or 0


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("stage", ["ada@example.org", "DATA"])
def test_whoever_signed_up_is_told_whether_or_not_somebody_has_the_email(sign_up, smtp, committing, stage, taken):
    if taken:
        User.objects.create_user("owner", "ada@example.org", PASSWORD, email_verified_at=timezone.now())
    smtp.refusals[stage] = "550 No such mailbox"
    browser = sign_up()
    said = page(browser.get(VERIFY))
    assert REFUSED in said and 'name="code"' not in said
    smtp.refusals.clear()
    with committing():
        browser.post(VERIFY, {"email": "ada@new.example"})
    assert smtp.to("ada@new.example")
    assert 'name="code"' in page(browser.get(VERIFY))


def test_whoever_asks_again_is_told_first_and_gets_another_if_they_insist(sign_up, smtp, committing):
    smtp.refusals["ada@example.org"] = "552 Mailbox full"
    browser = sign_up()
    with committing():
        assert REFUSED in page(browser.post(VERIFY, {"again": ""}))
    smtp.refusals.clear()
    assert not smtp.received
    with committing():
        browser.post(VERIFY, {"again": "refused"})
    assert smtp.to("ada@example.org")
    assert 'name="code"' in page(browser.get(VERIFY))


def test_no_other_browser_is_told(sign_up, smtp, using):
    smtp.refusals["ada@example.org"] = "550 No such mailbox"
    sign_up()
    assert EmailVerification.objects.get().refused_at
    assert sign_up("ada@other.example", "eve").get(VERIFY).context["refused"] is False


def test_no_stranger_causes_an_error_and_each_outcome_is_counted(sign_up, smtp, caplog):
    before = {outcome: count(outcome) for outcome in ("sent", "refused", "postponed", "expired")}
    smtp.refusals = {
        "ada@example.org": "550 No such mailbox",
        "bea@example.org": "450 Greylisted",
        "cleo@example.org": "421 Go away",
        "dora@example.org": "999 What?",
    }
    for name in ("ada", "bea", "cleo", "dora", "eve"):
        sign_up(f"{name}@example.org", name)
    OutgoingMail.objects.update(created_at=timezone.now() - RETENTION, due_at=timezone.now())
    worker.send_due()
    smtp.refusals = {"DATA": "554 Spam"}
    sign_up("fay@example.org", "fay")
    assert not OutgoingMail.objects.exists()
    mails = [line for line in caplog.records if getattr(line, "kind", "").startswith("mail_")]
    assert {line.kind for line in mails} == {"mail_refused", "mail_postponed", "mail_expired"}
    assert max(line.levelno for line in caplog.records) == logging.WARNING
    assert {outcome: count(outcome) - before[outcome] for outcome in before} == {
        "sent": 1,
        "refused": 3,
        "postponed": 2,
        "expired": 2,
    }


@pytest.mark.parametrize("local", ['"=?utf-8?q?=0A?="', "=?utf-8?q?a?=", '"a\x0b"'])
def test_what_programs_would_decode_or_cut_is_an_error_of_the_field(db, local):
    fields = {"username": "ada", "email": f"{local}@example.org", "password1": PASSWORD, "password2": PASSWORD}
    response = Client().post("/accounts/signup/", fields)
    assert response.context["form"].errors["email"] == ["Enter a valid email address."]


def test_bounces_go_to_an_address_of_their_own(sign_up, smtp, settings):
    settings.BOUNCE_EMAIL = "bounces@example.org"
    sign_up()
    assert smtp.envelopes == ["bounces@example.org"]
    assert smtp.received[0]["From"] == settings.DEFAULT_FROM_EMAIL

"""Whoever controls the mailbox gets the account back: no provider of somebody else stays a way in."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from accounts.email.tokens import undo_token
from accounts.mails import worker
from accounts.models import EmailVerification, FactorRemoval, Identity, Passkey, SecurityEvent, User
from tests.conftest import PASSWORD
from tests.providers.conftest import is_signed_in
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db

ADD = reverse("provider_add", kwargs={"name": "acme"})
OWNERS, THIEFS = "bob@example.org", "thief@example.org"
GONE = "We removed the accounts elsewhere that could sign in to yours."


@pytest.mark.parametrize(("email", "stays"), [(THIEFS, False), (OWNERS, True)])
def test_an_undo_leaves_the_providers_that_know_the_owner_of_the_email(
    client, bob, issuer, sign_in, leave, come_back, email, stays
):
    """A thief who adds one before they change the email could change it again and again, as often as it is undone."""
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    sign_in(client, bob)
    issuer.claims["email"] = email
    come_back(client, leave(client, ADD))
    Identity.objects.update(created_at=timezone.now() - timedelta(days=1))
    about = {"email": THIEFS, "previous_email": OWNERS, "previous_email_verified": True}
    change = EmailVerification.objects.create(user=bob, **about, confirmed_at=timezone.now())
    User.objects.filter(pk=bob.pk).update(email=THIEFS)
    owner = Client()
    form = owner.get(reverse("email_undo", args=[change.pk, undo_token(change)])).headers["Location"]
    assert (GONE in owner.post(form, follow=True).content.decode()) is not stays
    assert Identity.objects.filter(user=bob).exists() is stays
    assert User.objects.get(pk=bob.pk).email == OWNERS
    removed = SecurityEvent.objects.filter(user=bob, kind=SecurityEvent.Kind.PROVIDER_REMOVED)
    assert [event.method for event in removed] == ([] if stays else ["acme"])


class TestReset:
    @pytest.mark.parametrize(
        ("says", "stays"),
        [
            ({}, True),
            ({"email_verified": False}, False),
            ({"email": "mallory@example.org"}, False),
        ],
    )
    def test_a_reset_leaves_the_providers_that_know_the_owner_of_the_email(
        self, client, issuer, sign_in, leave, come_back, says, stays
    ):
        """A stranger signed up with Carol's email, and added a provider once she had followed the link in the mail."""
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, email_verified_at=timezone.now())
        sign_in(client, carol)
        issuer.claims |= says
        come_back(client, leave(client, reverse("provider_add", kwargs={"name": "acme"})))
        self.reset_password()
        assert Identity.objects.exists() is stays and not is_signed_in(client)

    def test_a_reset_removes_those_from_before_the_proof_of_the_email(self, client, issuer, sign_in_with):
        """A stranger who signed up with somebody's email and an account of their own elsewhere keeps no way in."""
        issuer.claims["email_verified"] = False
        sign_in_with(client)
        self.reset_password()
        assert not Identity.objects.exists() and not is_signed_in(client)

    def reset_password(self):
        browser = Client()
        browser.post(reverse("password_reset"), {"email": "carol@example.org"})
        worker.send_due()
        link = next(line for line in mail.outbox[-1].body.splitlines() if "/password/reset/" in line)
        form = browser.get(urlsplit(link).path).headers["Location"]
        words = f"{PASSWORD} and more"
        browser.post(form, {"new_password1": words, "new_password2": words})
        assert User.objects.get().check_password(words)


@pytest.mark.parametrize(
    ("email", "only_mail", "stays"), [(THIEFS, True, False), (OWNERS, True, True), (THIEFS, False, True)]
)
def test_a_removal_that_only_mails_cancel_leaves_the_thief_no_provider(
    client, bob, issuer, sign_in, enrol, leave, come_back, sign_in_with, email, only_mail, stays
):
    """A thief who had added one would be back at once, with another first factor, however often it is removed."""
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    sign_in(client, bob)
    enrol(client)
    issuer.claims["email"] = email
    come_back(client, leave(client, ADD))
    FactorRemoval.objects.create(user=bob, due_at=timezone.now(), only_mail_cancels=only_mail)
    call_command("tidyaccounts", verbosity=0)
    assert not Passkey.objects.exists()
    sign_in_with(client)
    there = RefreshToken.objects.live().filter(user=bob).exists()
    assert Identity.objects.filter(user=bob).exists() is there is stays


def test_nor_does_the_sign_in_that_finds_it_due(client, bob, issuer, sign_in, enrol, leave, come_back, sign_in_with):
    """Even if the owner has chosen a password since, with which their sessions would go on."""
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    sign_in(client, bob)
    enrol(client)
    issuer.claims["email"] = THIEFS
    come_back(client, leave(client, ADD))
    FactorRemoval.objects.create(user=bob, due_at=timezone.now(), only_mail_cancels=True)
    SecurityEvent.objects.record(None, bob, SecurityEvent.Kind.PASSWORD_RESET)
    thief = Client()
    sign_in_with(thief)
    assert not (Passkey.objects.exists() or Identity.objects.exists())
    assert not RefreshToken.objects.live().filter(user=bob).exists() and not is_signed_in(thief)
    assert sign_in(Client(), bob).headers["Location"] == "/"

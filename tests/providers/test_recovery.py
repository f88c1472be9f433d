"""Whoever controls the mailbox gets the account back: no provider of somebody else stays a way in."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.email.tokens import undo_token
from accounts.models import EmailVerification, Identity, SecurityEvent, User
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

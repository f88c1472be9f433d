"""Bob has an app and has lost it; nobody else knows his mailbox."""

from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from accounts.factors import recovery_codes, totp
from accounts.models import Authenticator, FactorRemoval, RecoveryCode, SecurityEvent, TrustedBrowser, User
from tests.accounts.mail_contents import link_in
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

LOST = reverse("factors_lost")
KEEP = reverse("factors_keep")
NEW = "another horse battery"


def give_password(client: Any = None, password: str = PASSWORD) -> Any:
    client = client or Client()
    client.answer = client.post(reverse("login"), {"username": "bob", "password": password})
    return client


def has_factor(user: User) -> bool:
    return any(model.objects.filter(user=user).exists() for model in (Authenticator, RecoveryCode, TrustedBrowser))


def kinds(user: User) -> list[str]:
    return [*SecurityEvent.objects.filter(user=user).order_by("pk").values_list("kind", flat=True)]


@pytest.fixture
def secret(bob: User, clock: Any) -> str:
    """What Bob's app and we know; he has confirmed his email."""
    User.objects.filter(pk=bob.pk).update(email_verified_at=timezone.now())
    bob.refresh_from_db()
    secret = totp.new_secret()
    Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
    recovery_codes.renew(bob)
    return secret


@pytest.fixture
def owner(bob: User, secret: str) -> Any:
    """A browser in which Bob has signed in with his app."""
    client = give_password()
    client.post(reverse("second_factor"), {"code": pyotp.TOTP(secret).now()})
    assert RefreshToken.objects.live().count() == 1
    return client


@pytest.fixture
def ask(secret: str, committing: Any) -> Callable[[], str]:
    """`ask()`: the link that comes by mail to whoever gives the password and has lost the rest."""

    def ask() -> str:
        client = give_password()
        assert client.get(LOST).status_code == 200
        with committing():
            assert client.post(LOST).url == reverse("second_factor")
        return link_in(mail.outbox[-1], "accounts/second-factor")

    return ask


@pytest.fixture
def press(committing: Any) -> Callable[[str], str]:
    """`press(link)`: what a new browser sees after the button of the page that the link leads to."""

    def press(link: str) -> str:
        client = Client()
        page: Any = client.get(link, follow=True)
        with committing():
            return str(client.post(page.request["PATH_INFO"], follow=True).content.decode())

    return press


@pytest.fixture
def reset_by_mail(bob: User, committing: Any) -> Callable[[str], str]:
    """`reset_by_mail(password)`: what a new browser sees in which Bob has followed the link to a new password."""

    def reset_by_mail(password: str) -> str:
        client = Client()
        with committing():
            client.post(reverse("password_reset"), {"email": bob.email})
        form = client.get(link_in(mail.outbox[-1])).headers["Location"]
        with committing():
            page = client.post(form, {"new_password1": password, "new_password2": password}, follow=True)
        return str(page.content.decode())

    return reset_by_mail


@pytest.fixture
def started(ask: Callable[[], str], press: Callable[[str], str]) -> FactorRemoval:
    """Started by the link; the mail that was sent then is the last one."""
    assert "We&#x27;ll remove your second step on" in press(ask())
    return FactorRemoval.objects.select_related("user").get()

"""Ways round the second factor that an attacker would try."""

import pytest
from django.urls import reverse

from accounts.factors import totp
from accounts.models import Authenticator
from tokens.testing import Client


@pytest.fixture
def secret(bob):
    """What Bob's app and we know."""
    secret = totp.new_secret()
    Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
    return secret


def test_the_page_that_sets_up_an_app_decrypts_no_secret_of_the_table(alice, sign_in, secret):
    """Alice has read a backup, and sends what it holds of Bob as the secret of her own new app."""
    client = Client()
    sign_in(client, alice)
    stored = Authenticator.objects.get().secret
    page = client.post(reverse("authenticator"), {"secret": stored, "code": "000000"}).content.decode()
    assert secret not in page.replace(" ", "")

"""What may have become of a visitor and their account while they were at the provider."""

import pytest
from django.urls import reverse

from accounts.models import Identity, User
from accounts.views import providers
from tests.providers.conftest import CALLBACK, is_signed_in
from tests.tokens.device import Device, WsgiClient
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db

LOGIN, SECURITY = reverse("login"), reverse("security")


@pytest.mark.parametrize("name", ["provider_add", "provider_confirm"])
def test_a_session_that_has_ended_completes_nothing(client, alice, issuer, sign_in, leave, come_back, name):
    sign_in(client, alice)
    url = leave(client, reverse(name, kwargs={"name": "acme"}))
    RefreshToken.objects.all().revoke(RefreshToken.Reason.ENDED)
    assert come_back(client, url).headers["Location"] == LOGIN
    assert not Identity.objects.exists() and not is_signed_in(client)
    sign_in(client, alice)
    assert not Identity.objects.exists(), "What was to be added is not offered either."


def test_a_signed_in_visitor_who_comes_back_once_more_stays_who_they_are(client, alice, issuer, leave, sign_in):
    url = leave(client)
    sign_in(client, alice)
    client.cookies["__Host-provider"] = ""
    assert client.get(CALLBACK, issuer.authorize(url)).headers["Location"] == SECURITY
    assert "/token" not in issuer.asked and client.get(SECURITY).wsgi_request.user == alice


def test_a_flow_that_was_left_open_signs_in_whoever_completes_it(client, alice, issuer, leave, come_back, sign_in):
    """As the form does: the session that it replaces ends."""
    url = leave(client)
    sign_in(client, alice)
    come_back(client, url)
    assert client.get(SECURITY).wsgi_request.user.username == "carol"
    assert not RefreshToken.objects.live().filter(user=alice).exists()


@pytest.mark.parametrize("by", ["this release", "release 0.1.0"])
def test_whose_account_is_deleted_may_sign_up_again(client, issuer, leave, come_back, sign_in_with, by):
    sign_in_with(Client())
    url = leave(client)
    RefreshToken.objects.all().revoke(RefreshToken.Reason.ENDED)
    identity = Identity.objects.get()
    User.objects.all().delete()
    if by == "release 0.1.0":  # which knows no such table
        identity.save(force_insert=True)
    come_back(client, url)
    assert is_signed_in(client) and Identity.objects.get().user == User.objects.get()


def test_a_session_by_a_provider_is_bound_to_its_device_like_any_other(issuer, leave, come_back):
    client = WsgiClient()
    Device(client).bind(come_back(client, leave(client)))
    assert is_signed_in(client) and RefreshToken.objects.get().bound_proved_at


def test_a_provider_that_is_removed_while_it_signs_in_does_not(client, issuer, sign_in_with, monkeypatch):
    """Its owner, or the removal of a thief's factor, ends the sessions at that very moment."""
    sign_in_with(client)
    RefreshToken.objects.all().revoke(RefreshToken.Reason.ENDED)
    monkeypatch.setattr(providers, "is_trusted", lambda *args: not Identity.objects.all().delete())
    sign_in_with(client)
    assert not (RefreshToken.objects.live().exists() or is_signed_in(client))

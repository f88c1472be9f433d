"""Several tabs of one browser at a provider: each comes back to what it was for."""

import pytest
from django.urls import reverse

from accounts.models import ProviderFlow
from accounts.providers import flows
from tests.providers.conftest import CALLBACK, is_signed_in
from tokens.testing import Client

pytestmark = pytest.mark.django_db

PAGES = reverse("profile"), reverse("activity")


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_of_two_goes_where_it_wanted_to(client, issuer, settings, leave, response_mode, order):
    settings.PROVIDERS[0]["response_mode"] = response_mode
    urls = [leave(client, next=page) for page in PAGES]
    for number in order:
        answer = issuer.authorize(urls[number])
        if response_mode == "form_post":
            Client().post(CALLBACK, answer)
        back = client.get(CALLBACK, answer if response_mode == "query" else {})
        assert back.headers["Location"] == PAGES[number] and is_signed_in(client)
    assert not ProviderFlow.objects.exists() and not client.cookies["__Host-provider"].value


def test_a_browser_has_a_few_at_once(client, issuer, leave, come_back):
    urls = [leave(client) for _ in range(flows.MAX_FLOWS + 1)]
    assert come_back(client, urls[0]).headers["Location"] == reverse("login")
    assert come_back(client, urls[1]).headers["Location"] == "/"

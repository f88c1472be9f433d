"""Providers in Chromium: its policy for forms, and its cookies, on the way there and back."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import Identity
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
def test_a_visitor_comes_back_signed_in(page: Page, live_server, issuer, settings, response_mode):
    url = live_server.url.replace("127.0.0.1", "localhost")  # the provider, on 127.0.0.1, is another site
    settings.TOKENS_ISSUER = url
    settings.PROVIDERS[0]["response_mode"] = response_mode
    page.goto(f"{url}/accounts/login/?next=/accounts/sessions/")
    page.get_by_label("Keep me signed in on this device").check()
    page.get_by_role("button", name="Continue with Acme").click()
    page.wait_for_url(f"{url}/accounts/sessions/")
    expect(page.get_by_text("with Acme")).to_be_visible()
    assert Identity.objects.get().user.username == "carol" and RefreshToken.objects.get().remember

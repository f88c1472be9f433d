"""The Content-Security-Policy in a real browser: it breaks no page of ours, the admin's among them."""

import pytest
from django.urls import reverse

from tests.conftest import PASSWORD


@pytest.fixture
def complaints(page):
    """What the browser writes to its console: refused scripts and styles, missing files, errors."""
    complaints = []
    page.on("console", lambda message: message.type in {"error", "warning"} and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def test_no_page_needs_more_than_the_policy_gives(page, live_server, alice, bob, complaints):
    page.goto(live_server.url + reverse("login"))
    page.fill("[name=username]", "alice")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(live_server.url + reverse("home"))
    addresses = [
        *map(reverse, ["home", "sessions", "profile", "activity", "password_change"]),
        *map(reverse, ["admin:index", "admin:accounts_user_changelist", "admin:accounts_user_add"]),
        reverse("admin:accounts_user_change", args=[bob.pk]),
        *map(reverse, ["admin:tokens_refreshtoken_changelist", "admin:accounts_securityevent_changelist"]),
    ]
    for address in addresses:
        response = page.goto(live_server.url + address)
        assert response.status == 200, address
    assert complaints == []

"""Every page in a real Chromium under the site's Content-Security-Policy."""

import pytest
from django.urls import reverse

from tests.conftest import PASSWORD

OPEN = ("home", "login", "signup", "password_reset", "password_reset_done", "password_reset_complete")
CLOSED = (
    *("home", "sessions", "activity", "profile", "username_change", "email_change", "password_change"),
    *("export", "delete"),
)
ADMIN = ("index", "accounts_user_changelist", "accounts_user_add", "tokens_refreshtoken_changelist")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [320, 1000])
def test_no_page_breaks_the_policy_or_is_too_wide(page, live_server, alice, width):
    site = live_server.url.replace("127.0.0.1", "localhost")
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_viewport_size({"width": width, "height": 800})

    def visit(url):
        page.goto(site + url)
        return page.evaluate("document.documentElement.scrollWidth")

    assert {name: visit(reverse(name)) for name in OPEN} == dict.fromkeys(OPEN, width)
    visit(reverse("login"))
    page.get_by_label("User name or e-mail").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Hello, alice.").wait_for()
    assert {name: visit(reverse(name)) for name in CLOSED} == dict.fromkeys(CLOSED, width)
    for name in ADMIN:
        visit(reverse(f"admin:{name}"))
    visit(reverse("admin:accounts_user_change", args=[alice.pk]))
    assert complaints == []


@pytest.mark.django_db(transaction=True)
def test_the_style_sheet_is_applied(page, live_server):
    page.goto(live_server.url.replace("127.0.0.1", "localhost"))

    accent = page.evaluate("getComputedStyle(document.querySelector('.button.primary')).backgroundColor")

    assert accent == "rgb(11, 110, 95)"

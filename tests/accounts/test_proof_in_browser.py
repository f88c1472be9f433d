"""Is it you? And: leaving, and thinking again. In a real Chromium."""

import json
import re

import pytest
from playwright.sync_api import expect

from accounts.models import User
from tests.accounts.conftest import FIREFOX
from tests.accounts.proving import forget_proofs
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def go(page, live_server):
    """`go(url)` in a page whose complaints fail the test."""
    site = live_server.url.replace("127.0.0.1", "localhost")
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield lambda url: page.goto(site + url)
    assert complaints == []


def sign_in(page, go, name):
    go("/accounts/login/")
    page.get_by_label("User name or e-mail").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def prove(page, password=PASSWORD):
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def test_a_form_that_was_interrupted_is_carried_through(page, go, alice, bob):
    for person in (bob, bob, User.objects.create_user("carol", "carol@example.org", PASSWORD)):
        Client(headers={"user-agent": FIREFOX}).force_login(person)
    sign_in(page, go, "alice")
    go("/admin/accounts/user/?o=1")
    page.get_by_role("row", name="bob@example.org").get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option(label="End all sessions of the selected people")
    forget_proofs()

    page.locator("button[name=index]").click()
    prove(page, "wrong")
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    prove(page)

    expect(page.get_by_text("2 sessions were ended.")).to_be_visible()
    assert {row.user.username for row in RefreshToken.objects.live()} == {"alice", "carol"}


def test_somebody_takes_their_data_leaves_and_thinks_again(page, go, bob):
    sign_in(page, go, "bob")
    expect(page.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    forget_proofs()
    go("/accounts/export/")
    prove(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert re.fullmatch(r"sojourn-bob-[\d-]{10}\.json", download.value.suggested_filename)
    assert json.loads(download.value.path().read_text())["account"]["username"] == "bob"

    page.get_by_role("link", name="Delete your account").click()
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("You are signed out, and your account will be deleted on")).to_be_visible()

    sign_in(page, go, "bob")
    expect(page.get_by_role("heading", name="Keep your account?")).to_be_visible()
    go("/accounts/sessions/")
    page.get_by_role("button", name="Keep my account").click()
    expect(page.get_by_text("Your account stays.")).to_be_visible()
    bob.refresh_from_db()
    assert bob.leaving_at is None

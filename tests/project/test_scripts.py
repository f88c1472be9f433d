"""What the small scripts add to pages that work without them."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.fixture
def site(live_server) -> str:
    return live_server.url.replace("127.0.0.1", "localhost")


class TestPasswords:
    def test_an_eye_shows_the_password_and_hides_it_again(self, page, site):
        page.goto(f"{site}/accounts/login/")
        field, eye = page.get_by_label("Password"), page.get_by_role("button", name="Show what is typed")
        field.fill("secret")

        eye.click()
        expect(field).to_have_attribute("type", "text")
        expect(eye).to_have_attribute("aria-pressed", "true")

        eye.press("Space")
        expect(field).to_have_attribute("type", "password")
        expect(field).to_have_value("secret")

    def test_it_is_hidden_when_the_form_goes(self, page, site):
        page.goto(f"{site}/accounts/login/")
        page.get_by_label("Password").fill("secret")
        page.get_by_role("button", name="Show what is typed").click()
        page.evaluate(
            "document.querySelector('main form').addEventListener('submit', (event) => event.preventDefault())"
        )

        page.get_by_label("User name or e-mail").fill("bob")
        page.get_by_label("User name or e-mail").press("Enter")

        expect(page.get_by_label("Password")).to_have_attribute("type", "password")

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("1234567", "Too short yet."),
            ("12345678", "Long enough. Longer is safer."),
            ("🐘🐘🐘🐘", "Too short yet."),
            ("123456789012", "A good length."),
            ("1234567890123456", "A very good length. Use it for nothing else."),
        ],
    )
    def test_a_hint_says_what_a_length_is_worth(self, page, site, typed, words):
        page.goto(f"{site}/accounts/signup/")
        expect(page.locator(".strength")).to_be_hidden()

        page.get_by_label("Password", exact=True).fill(typed)
        expect(page.locator(".strength")).to_have_text(words)

        page.get_by_label("Password", exact=True).fill("")
        expect(page.locator(".strength")).to_be_hidden()

    def test_without_scripts_there_is_neither(self, browser, site):
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(f"{site}/accounts/signup/")

        expect(page.locator(".peek").first).to_be_hidden()
        expect(page.locator(".strength")).to_be_hidden()
        context.close()


class TestTimes:
    def test_goes_on_while_the_page_is_open(self, page, site, bob, sign_in):
        other = Client()
        sign_in(other, bob)
        RefreshToken.objects.update(last_used_at=timezone.now() - timedelta(hours=3, minutes=5))
        page.clock.install()
        page.goto(f"{site}/accounts/login/?next=/accounts/sessions/")
        page.get_by_label("User name or e-mail").fill("bob")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_label("Password").press("Enter")
        line = page.locator("time[data-ago]")
        expect(line).to_have_text("Active 3 hours ago")

        page.clock.fast_forward("01:01:00")

        expect(line).to_have_text("Active 4 hours ago")
        expect(line).to_have_attribute("title", re.compile(r"\d{4}"))

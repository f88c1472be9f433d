"""The life of an account in a real browser, with the mails of a real mail server."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import SecurityEvent, User
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.smtp import MailServer
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)

NEW_PASSWORD = "another battery horse"


@pytest.fixture
def site(live_server) -> str:
    return live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def another(browser, site) -> Iterator:
    """`another()`: a page of a browser with a jar of its own."""
    contexts: list[BrowserContext] = []

    def another() -> Page:
        contexts.append(browser.new_context(base_url=site))
        return contexts[-1].new_page()

    yield another
    for context in contexts:
        context.close()


@pytest.fixture
def last(smtp: MailServer):
    """`last(address)`: the latest mail there."""
    return lambda address: smtp.to(address)[-1]


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("User name or e-mail").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    press(page, "Sign in")


def sign_up(page: Page) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("User name").fill("carol")
    page.get_by_label("E-mail").fill("carol@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    press(page, "Create the account")
    expect(page.get_by_role("main")).to_contain_text("We have written to carol@example.org.")


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name).click()


def follow(page: Page, link: str) -> None:
    """Open a link of a mail, as somebody who knows nothing of its secret once the page is there."""
    page.goto(link)
    assert link.split("/")[-2] not in page.url + page.content()


def choose_password(page: Page) -> None:
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("The same once more").fill(NEW_PASSWORD)
    press(page, "Save the password")
    expect(page.get_by_role("heading", name="Your password is new")).to_be_visible()


def test_sign_up_type_the_code_and_sign_in(another, last):
    page = another()
    sign_up(page)
    page.get_by_label("The six digits from the mail").fill("000 000")
    press(page, "Confirm")
    expect(page.get_by_role("main")).to_contain_text("This code is wrong")
    page.get_by_label("The six digits from the mail").fill(code_in(last("carol@example.org")))
    press(page, "Confirm")
    expect(page.get_by_role("status")).to_contain_text("carol@example.org is confirmed")

    sign_in(page, "carol")
    expect(page.get_by_role("heading", name="Hello, carol.")).to_be_visible()
    expect(page.get_by_role("main")).not_to_contain_text("not confirmed")


def test_sign_up_and_open_the_link_on_another_device(another, last):
    here, phone = another(), another()
    sign_up(here)
    follow(phone, link_in(last("carol@example.org")))
    expect(phone.get_by_role("main")).to_contain_text("carol@example.org")
    assert User.objects.get().email_verified_at is None
    press(phone, "Confirm the address")
    expect(phone.get_by_role("status")).to_contain_text("carol@example.org is confirmed")
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()
    assert not RefreshToken.objects.exists()


def test_change_the_address_and_take_it_back_from_the_old_one(another, last, bob):
    thief, owner = another(), another()
    sign_in(thief, "bob")
    thief.goto("/accounts/email/")
    thief.get_by_label("The new address").fill("thief@example.org")
    press(thief, "Change the address")
    thief.get_by_label("The six digits from the mail").fill(code_in(last("thief@example.org")))
    press(thief, "Confirm")
    expect(thief.get_by_role("status")).to_contain_text("thief@example.org is your address now.")

    follow(owner, link_in(last("bob@example.org"), "undo"))
    press(owner, "Put my address back")
    expect(owner.get_by_role("status")).to_contain_text("bob@example.org is your address again.")
    thief.goto("/accounts/profile/")
    expect(thief.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(thief, "bob")
    expect(thief.get_by_role("alert")).to_contain_text("is not right")

    follow(owner, link_in(last("bob@example.org"), "reset"))
    choose_password(owner)
    sign_in(owner, "bob@example.org", NEW_PASSWORD)
    expect(owner.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    owner.goto("/accounts/activity/")
    expect(owner.get_by_role("main")).to_contain_text("The e-mail address from before was put back")
    assert SecurityEvent.objects.filter(kind="email_restored").count() == 1


def test_forget_the_password_in_a_browser_that_is_signed_in(another, last, bob):
    """The page of the link has the way out in its head, and both of its forms are taken."""
    page = another()
    sign_in(page, "bob")
    page.goto("/accounts/password/reset/")
    page.get_by_role("textbox").fill("bob@example.org")
    press(page, "Send the link")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

    follow(page, link_in(last("bob@example.org"), "reset"))
    choose_password(page)
    page.goto("/accounts/sessions/")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    sign_in(page, "bob", NEW_PASSWORD)
    expect(page.get_by_role("heading", name="Hello, bob.")).to_be_visible()


def test_another_user_name_after_the_password_once_more(another, bob):
    page = another()
    sign_in(page, "bob")
    RefreshToken.objects.update(authenticated_at=None)
    page.goto("/accounts/username/")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Go on")
    page.get_by_label("User name").fill("robert")
    press(page, "Change the name")
    expect(page.get_by_role("status")).to_contain_text("Your user name is robert now.")
    page.goto("/")
    expect(page.get_by_role("heading", name="Hello, robert.")).to_be_visible()

"""Every journey by keyboard alone: Tab, Shift+Tab, Enter, Space and letters. No pointer is ever moved."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.smtp import wait_until
from tests.ui.people import PASSWORD

pytestmark = pytest.mark.once

NEW = "another battery horse"
STOPS = "a[href], button, input:not([type=hidden]), summary"
CODE = re.compile(r"^(\d{6})$", re.MULTILINE)
HAS_FOCUS = "element => element === document.activeElement"


class Walker:
    """Somebody at a keyboard, in front of `page`."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def go(self, to: Locator, key: str = "Tab") -> None:
        """Presses the key until that is where the keyboard is."""
        for _ in range(60):
            if to.evaluate(HAS_FOCUS):
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"{key} never comes to {to}.")

    def type(self, field: str, text: str) -> None:
        self.go(self.page.locator(f"main [name={field}]"))
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)


@pytest.fixture
def walker(face, browser):
    """`walker(name)`: whoever has that sign-in, or nobody yet."""
    contexts = []

    def walker(name: str = "") -> Walker:
        contexts.append(browser.new_context(accept_downloads=True))
        page = contexts[-1].new_page()
        face.sign_in(page, name)
        return Walker(page, face.url)

    yield walker
    for context in contexts:
        context.close()


def focused(walker):
    return walker.page.evaluate("document.activeElement.name || document.activeElement.id")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "path"),
    [("", "/accounts/signup/"), ("bob", "/accounts/sessions/"), ("petra", "/accounts/security/")],
)
def test_tab_comes_to_everything_once_and_back_again_and_the_first_stop_leads_past_the_top(walker, name, path):
    walker = walker(name)
    walker.open(path)
    stops = walker.page.locator(STOPS).filter(visible=True)
    count = stops.count()
    assert count > 8
    stops.first.focus()
    for key, numbers in (("Tab", range(1, count)), ("Shift+Tab", reversed(range(count - 1)))):
        for number in numbers:
            walker.page.keyboard.press(key)
            assert stops.nth(number).evaluate(HAS_FOCUS), number
    walker.page.keyboard.press("Enter")
    walker.page.keyboard.press("Tab")
    expect(walker.page.get_by_role("main").locator(STOPS).first).to_be_focused()


@pytest.mark.slow
def test_a_visitor_signs_up_after_a_slip_and_confirms_the_address(walker, face):
    walker = walker()
    walker.open("/accounts/signup/")
    for email in ("xenia@example", "xenia@example.org"):
        walker.type("username", "xenia")
        walker.type("email", email)
        walker.type("password1", NEW)
        walker.type("password2", NEW)
        with walker.page.expect_navigation():
            walker.page.keyboard.press("Enter")
        if email == "xenia@example":
            assert focused(walker) == "email"
    walker.page.wait_for_url(re.compile("/email/verify/$"))
    walker.type("code", code_for(face, "xenia@example.org"))
    walker.page.keyboard.press("Enter")
    walker.page.wait_for_url(f"{walker.url}/")  # signed in: the password was typed here, and the mailbox is theirs


def test_somebody_signs_in_after_a_slip_and_out(walker):
    walker = walker()
    walker.open("/accounts/login/")
    assert focused(walker) == "username"
    walker.page.keyboard.type("wanda")
    walker.type("password", "is it this?")
    walker.page.keyboard.press("Enter")
    expect(walker.page.get_by_role("alert")).to_be_focused()
    walker.type("password", PASSWORD)
    remember = walker.page.locator("#id_remember")
    walker.go(remember)
    walker.page.keyboard.press("Space")
    expect(remember).to_be_checked()
    walker.go(walker.page.locator("main [name=password]"), key="Shift+Tab")
    walker.go(walker.page.locator("main button[type=submit], main form .button.primary").first)
    walker.page.keyboard.press("Enter")
    walker.page.wait_for_url(f"{walker.url}/")
    account, sign_out = (walker.page.locator(f"header {button}") for button in ("button.account", "form button"))
    walker.go(account)
    walker.page.keyboard.press("Enter")
    walker.go(sign_out)
    walker.page.keyboard.press("Escape")
    expect(sign_out).to_be_hidden()
    expect(account).to_be_focused()
    walker.page.keyboard.press("Enter")
    walker.go(sign_out)
    walker.page.keyboard.press("Space")
    walker.page.wait_for_url(re.compile("/login/$"))


def test_names_a_session_in_place_and_ends_it(walker):
    walker = walker("wilma")
    walker.open("/accounts/sessions/")
    walker.go(walker.page.locator("main a[href*='?name=']").first)
    walker.page.keyboard.press("Enter")
    walker.go(walker.page.locator("main [name=name]"))
    walker.page.keyboard.type("Kitchen")
    walker.page.keyboard.press("Enter")
    expect(walker.page.get_by_role("heading", name="Kitchen")).to_be_visible()
    ends = walker.page.locator("main a[href*='/end/']")
    before = ends.count()
    walker.go(ends.last)
    walker.page.keyboard.press("Enter")
    walker.page.wait_for_url(re.compile("/end/"))
    walker.go(walker.page.locator("main form button"))
    walker.page.keyboard.press("Space")
    walker.page.wait_for_url(re.compile(r"/accounts/sessions/\?row=2#row$"))
    expect(ends).to_have_count(before - 1)


@pytest.mark.parametrize("script", [True, False])
def test_after_an_action_the_keyboard_is_at_the_row(browser, face, script):
    """And what was done is told there: both are in the window."""
    context = browser.new_context(java_script_enabled=script, viewport={"width": 800, "height": 500})
    page = context.new_page()
    face.sign_in(page, "walter")
    page.goto(f"{face.url}/accounts/sessions/?page=2")
    rows = page.locator("main .rows > li")
    neighbour = rows.nth(8).locator("h2").inner_text()
    rows.nth(7).get_by_role("link", name="Sign out").press("Enter")
    page.locator("main form button").press("Enter")
    row = page.locator("#row")
    expect(row).to_be_focused()
    expect(row.locator("h2")).to_have_text(neighbour)
    for seen in (row, page.get_by_role("status")):
        expect(seen).to_be_in_viewport(ratio=1)
    context.close()


def test_choosing_the_language_keeps_what_was_typed_but_no_password(browser, face):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{face.url}/accounts/login/?next=/accounts/profile/")
    page.fill("[name=username]", "wanda")
    page.check("#id_remember")
    page.fill("[name=password]", "is it this?")
    page.locator(".password-toggle").press("Enter")  # now it is text
    page.get_by_role("button", name="Deutsch").press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert page.url == f"{face.url}/accounts/login/?next=/accounts/profile/"
    expect(page.locator("[name=username]")).to_have_value("wanda")
    expect(page.locator("#id_remember")).to_be_checked()
    expect(page.locator("[name=password]")).to_have_value("")
    assert page.evaluate("sessionStorage.length") == 0
    page.reload()
    expect(page.locator("[name=username]")).to_have_value("")  # it was for that one time
    context.close()


def test_permissions_are_filtered_by_what_is_typed(walker):
    walker = walker("alice")
    walker.open("/admin/auth/group/add/")
    labels = walker.page.locator("div.filtered label:has(input)")
    all_of_them = labels.count()
    walker.go(walker.page.locator("div.filtered input[type=search]"))
    walker.page.keyboard.type(" VIEW ")
    views = labels.filter(visible=True, has_text=re.compile("view", re.IGNORECASE))
    expect(labels.filter(visible=True)).to_have_count(views.count())
    assert 0 < views.count() < all_of_them
    walker.page.keyboard.press("Enter")  # sends nothing
    walker.page.keyboard.press("Tab")
    walker.page.keyboard.press("Space")
    expect(views.first.locator("input")).to_be_checked()
    walker.go(walker.page.locator("div.filtered input[type=search]"), key="Shift+Tab")
    walker.page.keyboard.press("Control+A")
    walker.page.keyboard.press("Delete")
    expect(labels.filter(visible=True)).to_have_count(all_of_them)
    expect(views.first.locator("input")).to_be_checked()


def code_for(face, address):
    """The code in the last mail to that address, once it is there."""

    def codes():
        return [code for mail in face.mails() if f"To: {address}" in mail for code in CODE.findall(mail)]

    wait_until(codes)
    return codes()[0]

"""What only a real browser shows: journeys with real cookies and mails, against a server on a socket."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http.cookies import SimpleCookie
from types import SimpleNamespace

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import SecurityEvent
from accounts.security import limits
from accounts.security.rate_limit import Rate
from tests.accounts.mail_contents import code_in, link_in
from tests.conftest import PASSWORD
from tests.tokens import clock
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)

EXPIRED = 16 * 60  # seconds after which an access token is over, and a refresh token old enough to be confirmed
SETTLED = 3 * 60  # seconds after which a refresh token is old enough, and an access token still good
NEW_PASSWORD = "another battery horse"
TOKENS = {"__Host-access", "__Host-refresh"}


@pytest.fixture
def another(browser, live_server) -> Callable[..., Page]:
    """`another(**options)`: a page of a browser with a jar of its own."""
    contexts: list[BrowserContext] = []

    def another(**options) -> Page:
        contexts.append(browser.new_context(base_url=live_server.url.replace("127.0.0.1", "localhost"), **options))
        return contexts[-1].new_page()

    yield another
    for context in contexts:
        context.close()


@pytest.fixture
def signed_in(another):
    """`signed_in(person)`: the first page of a browser in which that person has signed in by the form."""

    def signed_in(person, remember: bool = False, **options) -> Page:
        page = another(**options)
        page.goto("/accounts/login/")
        sign_in(page, person.username, remember=remember)
        expect(page.get_by_role("heading", name=f"Hello, {person.username}.")).to_be_visible()
        return page

    return signed_in


def sign_in(page: Page, name: str, password: str = PASSWORD, remember: bool = False) -> None:
    page.get_by_label("User name or email").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Keep me signed in").set_checked(remember)
    press(page, "Sign in")


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name).click()


def follow(page: Page, link: str) -> None:
    """Open a link of a mail. Once the page is there, nothing in it knows the secret."""
    page.goto(link)
    assert link.split("/")[-2] not in page.url + page.content()


def is_signed_out(page: Page) -> None:
    page.goto("/accounts/profile/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def cookies_of(page: Page) -> dict:
    return {cookie["name"]: cookie for cookie in page.context.cookies()}


def elapse(seconds: float, *pages: Page) -> None:
    """Let the rows, and the tokens in the browsers of `pages`, be so many seconds older."""
    jars = [SimpleNamespace(cookies=SimpleCookie({n: c["value"] for n, c in cookies_of(p).items()})) for p in pages]
    clock.elapse(seconds, *jars)
    for page, jar in zip(pages, jars, strict=True):
        cookies = cookies_of(page)
        page.context.add_cookies([{**cookies[name], "value": jar.cookies[name].value} for name in TOKENS])


def sign_up(page: Page) -> None:
    page.goto("/accounts/signup/")
    page.get_by_label("User name").fill("carol")
    page.get_by_label("Email address").fill("carol@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").dblclick()
    expect(page.get_by_label("6-digit code")).to_be_visible()


def test_sign_up_confirm_sign_in_stay_signed_in_post_and_sign_out(another, smtp):
    page = another()
    sign_up(page)
    page.get_by_label("6-digit code").fill(code_in(smtp.to("carol@example.org")[-1]))
    press(page, "Confirm")
    expect(page.get_by_role("status")).to_contain_text("Thanks, you've confirmed carol@example.org")
    expect(page.get_by_role("heading", name="Hello, carol.")).to_be_visible()

    elapse(EXPIRED, page)
    before = cookies_of(page)
    page.goto("/accounts/profile/")
    after = cookies_of(page)
    assert all(before[name]["value"] != after[name]["value"] for name in TOKENS)
    page.get_by_label("First name").fill("Carol")
    elapse(EXPIRED, page)  # the form is posted with an access token that is over
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_label("First name")).to_have_value("Carol")
    assert cookies_of(page)["__Host-access"]["value"] != after["__Host-access"]["value"]

    page.locator("header button.account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You're signed out.")).to_be_visible()
    assert not TOKENS & cookies_of(page).keys()
    is_signed_out(page)
    sign_in(page, "carol@example.org")
    expect(page.get_by_label("First name")).to_have_value("Carol")


@pytest.mark.parametrize("remember", [False, True])
def test_the_cookies_are_bound_to_the_host_and_out_of_reach_of_scripts(signed_in, bob, remember):
    page = signed_in(bob, remember=remember)
    for name, cookie in cookies_of(page).items():
        assert name.startswith("__Host-")
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
        assert (cookie["domain"], cookie["path"]) == ("localhost", "/")
    assert page.evaluate("document.cookie") == ""
    assert cookies_of(page)["__Host-access"]["expires"] == -1
    assert (cookies_of(page)["__Host-refresh"]["expires"] > 0) is remember


def test_it_all_works_without_javascript(signed_in, bob):
    page = signed_in(bob, java_script_enabled=False)
    page.goto("/accounts/sessions/")
    press(page, "Sign out of this session")
    is_signed_out(page)


def test_a_copied_jar_is_found_and_both_land_on_the_log_in_page(signed_in, another, bob, settings):
    settings.TOKENS_REVOCATION_LAG = 0
    victim, elsewhere, thief = signed_in(bob), signed_in(bob), another()
    thief.context.add_cookies(victim.context.cookies())
    elapse(EXPIRED, thief, victim)
    for page in (thief, victim):  # both go on by the same refresh token
        page.goto("/")
        expect(page.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    elapse(SETTLED, thief, victim)
    victim.goto("/")  # confirms the victim's
    expect(victim.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    for page in (thief, victim, elsewhere):
        is_signed_out(page)
        expect(page.get_by_role("alert")).to_contain_text("We signed you out to keep your account safe.")
    assert not RefreshToken.objects.live().exists()
    assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.REUSE_FOUND).count() == 1
    assert [message.to for message in mail.outbox if "keep your account safe" in message.subject] == [
        ["bob@example.org"]
    ]


def test_a_burst_of_parallel_requests_and_several_tabs_sign_nobody_out(signed_in, bob):
    page = signed_in(bob)
    tabs = [page.context.new_page() for _ in range(3)]
    for _ in range(2):
        elapse(EXPIRED, page)
        found = page.evaluate(
            "async () => Promise.all([...Array(20)].map(async () => (await fetch('/accounts/profile/')).url))"
        )
        assert {url.rpartition("/accounts/")[2] for url in found} == {"profile/"}
        for tab in tabs:
            tab.goto("/")
            expect(tab.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    assert RefreshToken.objects.get().revoked_at is None


def test_a_stolen_account_comes_back_by_the_old_mailbox(another, signed_in, smtp, bob):
    """The link undoes the change of the address, and the next one gives a new password: of forms, both are taken."""
    thief, owner = signed_in(bob), another()
    thief.goto("/accounts/email/")
    thief.get_by_label("New email address").fill("thief@example.org")
    press(thief, "Change email address")
    thief.get_by_label("6-digit code").fill(code_in(smtp.to("thief@example.org")[-1]))
    press(thief, "Confirm")
    expect(thief.get_by_role("status")).to_contain_text("Your email address is now thief@example.org.")

    follow(owner, link_in(smtp.to("bob@example.org")[-1], "undo"))
    press(owner, "Restore my email address")
    expect(owner.get_by_role("status")).to_contain_text("bob@example.org is your email address again.")
    is_signed_out(thief)
    sign_in(thief, "bob")
    expect(thief.get_by_role("alert")).to_contain_text("isn't right")

    follow(owner, link_in(smtp.to("bob@example.org")[-1], "reset"))
    for label in ("New password", "Confirm password"):
        owner.get_by_label(label, exact=True).fill(NEW_PASSWORD)
    press(owner, "Save password")
    expect(owner.get_by_role("heading", name="Password changed")).to_be_visible()
    owner.goto("/accounts/login/")
    sign_in(owner, "bob@example.org", NEW_PASSWORD)
    expect(owner.get_by_role("heading", name="Hello, bob.")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_a_double_click_acts_once(another, smtp, script):
    page = another(java_script_enabled=script)
    sign_up(page)
    [message] = smtp.to("carol@example.org")
    page.get_by_label("6-digit code").fill(code_in(message))
    page.get_by_role("button", name="Confirm").dblclick()
    expect(page.get_by_role("status")).to_contain_text("Thanks, you've confirmed carol@example.org")


class TestScripts:
    """What the small scripts add to pages that work without them."""

    def test_a_form_can_be_sent_again_once_the_page_has_stayed_or_come_back(self, another):
        page, sent = another(), []
        page.clock.install()
        page.goto("/accounts/login/")
        page.on("request", lambda request: request.method == "POST" and sent.append(request))
        page.route("**/login/", lambda route: route.fulfill(status=204))  # the page stays, as after a download
        page.get_by_label("User name or email").fill("bob")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        for again in (
            lambda: None,
            lambda: page.clock.fast_forward(10_000),
            lambda: page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"),
        ):
            before = len(sent)
            again()
            for _ in range(2):
                press(page, "Sign in")
            page.wait_for_timeout(50)
            assert len(sent) == before + 1

    def test_a_mail_can_be_had_again_after_a_countdown(self, another, smtp):
        page = another()
        page.clock.install()
        sign_up(page)
        hint, button = page.locator("[data-wait]"), page.get_by_role("button", name="Send it again")
        expect(hint).to_have_text(re.compile(r"in \d\d seconds\.$"))
        expect(button).to_be_disabled()
        page.clock.fast_forward(61_000)
        expect(hint).to_be_hidden()
        expect(button).to_be_enabled()

    def test_a_form_that_has_to_wait_counts_down_in_place_and_can_be_sent_all_the_while(
        self, another, monkeypatch, bob
    ):
        monkeypatch.setattr(limits, "SIGN_IN", replace(limits.SIGN_IN, visitor_and_account=Rate(1, 120, 120, 600)))
        page = another()
        page.clock.install()
        page.goto("/accounts/login/")
        for password in ("one", "two"):
            page.get_by_label("User name or email").fill("bob")
            page.get_by_label("Password", exact=True).fill(password)
            press(page, "Sign in")
        hint = page.locator("[data-wait]")
        expect(hint).to_have_text(re.compile(r"in 2 minutes\.$"))
        page.clock.fast_forward(60_000)
        expect(hint).to_have_text(re.compile(r"in \d\d seconds\.$"))
        expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
        page.clock.fast_forward(61_000)
        expect(hint).to_have_text(hint.get_attribute("data-over"))

    def test_an_eye_shows_the_password_until_it_is_pressed_again_or_the_form_goes(self, another):
        page = another()
        page.goto("/accounts/login/")
        field, eye = page.get_by_label("Password"), page.get_by_role("button", name="Show password")
        field.fill("secret")
        for hide in (lambda: eye.press("Space"), lambda: page.get_by_label("User name or email").press("Enter")):
            eye.click()
            expect(field).to_have_attribute("type", "text")
            expect(eye).to_have_attribute("aria-pressed", "true")
            page.get_by_label("User name or email").fill("bob")
            page.evaluate("document.querySelector('main form').addEventListener('submit', (e) => e.preventDefault())")
            hide()
            expect(field).to_have_attribute("type", "password")
            expect(field).to_have_value("secret")

    def test_a_hint_says_what_a_length_is_worth(self, another):
        predictable = "Too easy to guess: it repeats itself or follows a pattern."
        page = another()
        page.goto("/accounts/signup/")
        for typed, words in (
            ("7km#2vqx4rtw9z", "Still too short."),
            ("🐘🐘🐘🐘🐘🐘🐘🐘", "Still too short."),
            ("1234567890123456", predictable),
            ("PasswordPassword", predictable),
            ("7km#2vqx4rtw9zpj", "Long enough. When you save, we'll check that it isn't a known password."),
        ):
            page.get_by_label("Password", exact=True).fill(typed)
            expect(page.locator(".strength")).to_have_text(words)
        page.get_by_label("Password", exact=True).fill("")
        expect(page.locator(".strength")).to_be_hidden()

    def test_without_scripts_there_is_neither(self, another):
        page = another(java_script_enabled=False)
        page.goto("/accounts/signup/")
        expect(page.locator(".password-toggle").first).to_be_hidden()
        expect(page.locator(".strength")).to_be_hidden()

    def test_times_are_the_readers_and_days_as_well(self, signed_in, bob):
        noon = timezone.now().replace(hour=12, minute=0) - timedelta(days=2)
        for hours in (2, 4, 11):
            SecurityEvent.objects.record(None, bob, "exported", created_at=noon + timedelta(hours=hours))
        page = signed_in(bob, timezone_id="Asia/Tokyo")
        page.goto("/accounts/activity/")
        days = page.locator("h2").all_inner_texts()[-2:]
        assert days == [f"{noon + timedelta(days=ahead):%-d %B %Y}" for ahead in (1, 0)]
        assert [each.locator("li").count() for each in page.locator(".events").all()[-2:]] == [2, 1]
        expect(page.locator("main time").last).to_have_text("23:00 GMT+9")

    def test_a_time_goes_on_while_the_page_is_open(self, signed_in, bob):
        signed_in(bob)
        clock.elapse(3 * 3600 + 5 * 60)
        page = signed_in(bob)
        page.clock.install()
        page.goto("/accounts/sessions/")
        line = page.locator("time[data-ago]")
        expect(line).to_have_text("Active 3 hours ago")
        page.clock.fast_forward("01:01:00")
        expect(line).to_have_text("Active 4 hours ago")
        expect(line).to_have_attribute("title", re.compile(r"\d{4}"))

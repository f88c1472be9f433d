"""Journeys in a real browser, with real cookies, against a server on a socket. Access tokens live for three seconds."""

import re
import time
from collections.abc import Iterator

import pytest
from django.core import mail
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import SecurityEvent
from accounts.security import throttle
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)

ACCESS_LIFETIME = 3  # seconds; a refresh token is confirmed by a use one second after it was made
NEW_PASSWORD = "another battery horse"


@pytest.fixture(autouse=True)
def short_lives(settings):
    settings.TOKENS_ACCESS_LIFETIME = ACCESS_LIFETIME
    settings.TOKENS_REVOCATION_LAG = 0.2


@pytest.fixture
def site(live_server) -> str:
    return live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def another(browser, site) -> Iterator:
    """`another(**options)`: a browser of its own, with a jar of its own."""
    contexts = []

    def another(**options) -> BrowserContext:
        contexts.append(browser.new_context(base_url=site, **options))
        return contexts[-1]

    yield another
    for context in contexts:
        context.close()


@pytest.fixture
def sign_in(another):
    """`sign_in(person)`: the first page of a browser in which that person has signed in by the form."""

    def sign_in(person, keep: bool = False, context: BrowserContext | None = None, **options) -> Page:
        page = (context or another(**options)).new_page()
        page.goto("/accounts/login/")
        fill_in(page, person.username, keep=keep)
        expect(page.get_by_role("heading", name=f"Hello, {person.username}.")).to_be_visible()
        return page

    return sign_in


def fill_in(page: Page, name: str, password: str = PASSWORD, keep: bool = False) -> None:
    page.get_by_label("User name or e-mail").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Keep me signed in").set_checked(keep)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def sojourn_cookies(page: Page) -> dict:
    return {cookie["name"]: cookie for cookie in page.context.cookies()}


def wait_for_expiry() -> None:
    time.sleep(ACCESS_LIFETIME + 0.2)


def test_sign_up_sign_in_stay_signed_in_post_and_sign_out(another, db):
    page = another().new_page()
    page.goto("/accounts/signup/")
    page.get_by_label("User name").fill("carol")
    page.get_by_label("E-mail").fill("carol@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("main")).to_contain_text("We have written to carol@example.org.")

    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    fill_in(page, "carol@example.org")
    expect(page.get_by_role("heading", name="Hello, carol.")).to_be_visible()

    before = sojourn_cookies(page)
    wait_for_expiry()
    page.goto("/accounts/profile/")
    after = sojourn_cookies(page)
    assert before["__Host-access"]["value"] != after["__Host-access"]["value"]
    assert before["__Host-refresh"]["value"] != after["__Host-refresh"]["value"]

    page.get_by_label("First name").fill("Carol")
    wait_for_expiry()  # the form is posted with an access token that is over
    page.get_by_role("main").get_by_role("button").click()
    expect(page.get_by_label("First name")).to_have_value("Carol")
    assert sojourn_cookies(page)["__Host-access"]["value"] != after["__Host-access"]["value"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    assert not {"__Host-access", "__Host-refresh"} & sojourn_cookies(page).keys()
    page.goto("/accounts/sessions/")
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next=/accounts/sessions/"))


@pytest.mark.parametrize("keep", [False, True], ids=["until the browser closes", "kept"])
def test_the_cookies_are_bound_to_the_host_and_out_of_reach_of_scripts(sign_in, bob, keep):
    page = sign_in(bob, keep=keep)
    for name, cookie in sojourn_cookies(page).items():
        assert name.startswith("__Host-")
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
        assert (cookie["domain"], cookie["path"]) == ("localhost", "/")
    assert page.evaluate("document.cookie") == ""
    expires = {name: sojourn_cookies(page)[name]["expires"] for name in ("__Host-access", "__Host-refresh")}
    assert expires["__Host-access"] == -1
    assert (expires["__Host-refresh"] > time.time() + 6 * 24 * 3600) is keep


def test_it_all_works_without_javascript(sign_in, bob):
    page = sign_in(bob, java_script_enabled=False)
    page.goto("/accounts/sessions/")
    page.get_by_role("main").get_by_role("button", name="End this session").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_two_browsers_see_each_other_and_one_ends_the_other(sign_in, bob):
    here = sign_in(bob)
    phone = sign_in(
        bob,
        user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    )
    here.goto("/accounts/sessions/")
    rows = here.get_by_role("main").get_by_role("list").first.get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("This device")
    expect(rows.last).to_contain_text(re.compile("Safari.* on iOS|Safari.*iPhone"))
    expect(rows.last).to_contain_text("with your password")

    rows.last.get_by_text("Give it a name").click()
    rows.last.get_by_role("textbox").fill("My phone")
    rows.last.get_by_role("button", name="Save").click()
    expect(rows.last).to_contain_text("My phone")

    rows.last.get_by_role("link", name="End").click()
    expect(here.get_by_role("main")).to_contain_text("That browser is signed out at once.")
    here.get_by_role("button", name="End this session").click()
    expect(rows).to_have_count(1)
    expect(here.get_by_role("list", name="Ended lately")).to_contain_text("My phone")

    phone.goto("/accounts/profile/")
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(phone.get_by_role("status")).to_contain_text("This session was ended from the list of sessions.")
    here.goto("/")
    expect(here.get_by_role("heading", name="Hello, bob.")).to_be_visible()


def test_a_copied_jar_is_found_and_both_land_on_the_log_in_page(sign_in, another, bob):
    victim = sign_in(bob)
    elsewhere = sign_in(bob)
    copy = another()
    copy.add_cookies(victim.context.cookies())
    thief = copy.new_page()

    wait_for_expiry()
    for page in (thief, victim):  # both go on by the same refresh token
        page.goto("/")
        expect(page.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    time.sleep(1.2)
    victim.goto("/")  # confirms the victim's
    expect(victim.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    thief.goto("/accounts/profile/")
    expect(thief.get_by_role("alert")).to_contain_text("You were signed out for your safety.")

    time.sleep(0.3)  # the lag
    for page in (victim, elsewhere):
        page.goto("/accounts/profile/")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("You were signed out for your safety.")
    assert not RefreshToken.objects.live().exists()
    assert SecurityEvent.objects.filter(kind=SecurityEvent.Kind.REUSE_FOUND).count() == 1
    told = [message.to for message in mail.outbox if "for your safety" in message.subject]
    assert told == [["bob@example.org"]]

    fill_in(victim, "bob")
    victim.goto("/accounts/activity/")
    expect(victim.get_by_role("main")).to_contain_text("Two browsers used the same sign-in")


def test_a_change_of_password_keeps_this_browser_and_ends_the_others(sign_in, bob):
    here, there = sign_in(bob, keep=True), sign_in(bob)
    here.goto("/accounts/password/change/")
    here.get_by_label("Your password now").fill(PASSWORD)
    here.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    here.get_by_label("The same once more").fill(NEW_PASSWORD)
    here.get_by_role("button", name="Change the password").click()
    here.goto("/accounts/sessions/")
    expect(here.get_by_role("main").get_by_role("list").first.get_by_role("listitem")).to_have_count(1)
    there.goto("/accounts/sessions/")
    expect(there.get_by_role("status")).to_contain_text("The password was changed.")


def test_who_guesses_is_told_when_to_try_again_and_then_gets_in(another, bob, monkeypatch):
    monkeypatch.setattr(throttle, "SIGN_IN", throttle.Limit("sign-in", throttle.Rate(2, 2, 60, 600)))
    page = another().new_page()
    page.goto("/accounts/login/?next=/accounts/profile/")
    for password in ("is it this?", "or this?", PASSWORD):
        fill_in(page, "bob", password, keep=True)
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Please try again in [12] seconds?\."))
    expect(page.get_by_label("User name or e-mail")).to_have_value("bob")
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    expect(page.get_by_label("Keep me signed in")).to_be_checked()

    time.sleep(2.1)
    fill_in(page, "bob")
    expect(page).to_have_url(re.compile(r"/accounts/profile/$"))
    assert "__Host-device" in sojourn_cookies(page)


def test_a_burst_of_parallel_requests_and_several_tabs_sign_nobody_out(sign_in, bob):
    page = sign_in(bob)
    tabs = [page.context.new_page() for _ in range(3)]
    for _ in range(2):
        wait_for_expiry()
        statuses = page.evaluate(
            "async () => Promise.all([...Array(20)].map(async () => (await fetch('/accounts/profile/')).url))"
        )
        assert {url.rpartition("/accounts/")[2] for url in statuses} == {"profile/"}
        for tab in tabs:
            tab.goto("/")
            expect(tab.get_by_role("heading", name="Hello, bob.")).to_be_visible()
    assert RefreshToken.objects.get().revoked_at is None


def test_the_admin_is_entered_by_the_same_form_and_the_same_cookies(sign_in, another, alice, bob):
    page = another().new_page()
    page.goto("/admin/")
    fill_in(page, "alice")
    expect(page.get_by_role("heading", name="People, sessions and what happened")).to_be_visible()
    assert {name for name in sojourn_cookies(page) if "session" in name} == set()
    bobs = sign_in(bob)
    assert bobs.goto("/admin/").status == 403


def test_no_page_breaks_the_content_security_policy(sign_in, alice, django_user_model):
    page = sign_in(alice)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    paths = ["/", "/accounts/sessions/", "/accounts/profile/", "/accounts/activity/", "/accounts/password/change/"]
    paths += ["/admin/", "/admin/accounts/user/", f"/admin/accounts/user/{alice.pk}/change/"]
    paths += ["/admin/tokens/refreshtoken/", "/admin/accounts/securityevent/"]
    for path in paths:
        assert page.goto(path).ok, path
    page.get_by_role("button", name=re.compile("(Sign|Log) out")).first.click()
    for path in ("/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        page.goto(path)
    assert complaints == []

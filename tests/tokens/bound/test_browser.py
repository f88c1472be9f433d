"""A real Chromium binds its session to a key, over TLS, and proves that it has it."""

from time import time

import pytest
from playwright.sync_api import expect

from tests import chromium
from tests.conftest import PASSWORD
from tests.tokens.bound.conftest import expire, sign_in
from tokens.binding import marks
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)

PROFILE = "/accounts/profile/"


def greeting(page):
    return page.get_by_role("heading", name="Hello, bob.")


def password(page):
    return page.get_by_label("Password", exact=True)


def sign_out(page):
    page.locator("form[action='/accounts/logout/'] button").first.evaluate(
        "(button) => button.form.requestSubmit(button)"
    )
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def age_mark(page):
    """The mark is good, but no longer young."""
    row = RefreshToken.objects.live().get()
    old = marks.sign(str(row.pk), int(time()) + 600 - marks.PROVED_WITHIN)
    [cookie] = [cookie for cookie in page.context.cookies() if cookie["name"] == "__Host-bound"]
    page.context.add_cookies([{**cookie, "value": old}])
    expire(page, "unproven")  # which lives for seconds


class TestProofs:
    def test_it_registers_at_the_sign_in_and_refreshes_when_the_mark_is_gone(self, page, site):
        assert site.asked == [("register", 200), ("refresh", 200)]
        for _ in range(2):
            site.forget()
            expire(page)
            page.goto("/")
            expect(greeting(page)).to_be_visible()
            assert site.asked == [("refresh", 200)]
        row = RefreshToken.objects.get()
        assert row.bound_proved_at > row.bound_at

    def test_many_requests_of_two_tabs_wait_for_one(self, page, site):
        tabs = page, page.context.new_page()
        tabs[1].goto("/")
        expire(page)
        site.forget()
        for tab in tabs:
            tab.evaluate("""() => {
                const fetched = () => fetch("/").then((response) => response.text());
                window.pages = Promise.all([1, 2, 3, 4].map(fetched));
            }""")
        pages = [text for tab in tabs for text in tab.evaluate("window.pages")]
        assert len(pages) == 8
        assert all("Hello, bob." in text for text in pages)
        assert site.refreshes() == [200]
        assert RefreshToken.objects.live().get().probed_jti is None

    def test_a_slow_one_holds_the_page_and_nothing_is_lost(self, page, site):
        expire(page)
        site.answers.clear()
        site.arrived.clear()
        site.forget()
        page.evaluate("setTimeout(() => location.assign('/accounts/profile/'))")
        while not site.arrived.is_set():
            page.wait_for_timeout(20)
        assert site.served == []
        site.answers.set()
        expect(page.get_by_label("First name")).to_be_visible()
        assert site.times("GET", PROFILE) == [200]

    def test_a_form_with_everything_expired_is_processed_once(self, page, site, bob):
        page.goto(PROFILE)
        page.get_by_label("First name").fill("Robert")
        expire(page)
        site.forget()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("First name")).to_have_value("Robert")
        assert site.refreshes() == [200]
        assert site.times("POST", PROFILE) == [302]
        bob.refresh_from_db()
        assert bob.first_name == "Robert"

    def test_a_form_of_a_guarded_page_beside_an_old_mark_is_processed_once(self, page, site, bob):
        page.goto(PROFILE)
        page.get_by_label("First name").fill("Robert")
        age_mark(page)
        site.forget()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_label("First name")).to_have_value("Robert")
        assert site.refreshes() == [200]
        assert site.times("POST", PROFILE) == [307, 302]
        bob.refresh_from_db()
        assert bob.first_name == "Robert"


class TestOtherSites:
    @pytest.mark.parametrize("mark", ["over", "old"])
    def test_a_link_from_one_leads_to_a_guarded_page(self, page, site, mark):
        page.goto(site.elsewhere)
        expire(page) if mark == "over" else age_mark(page)
        site.forget()
        page.get_by_role("link").click()
        expect(page.get_by_label("First name")).to_be_visible()
        assert site.refreshes() == [200]
        assert site.times("GET", PROFILE) == ([200] if mark == "over" else [307, 200])

    def test_a_form_of_one_does_nothing_and_ends_nothing(self, page, site, bob):
        page.goto(site.elsewhere)
        expire(page)
        site.forget()
        page.get_by_role("button").click()
        page.wait_for_url(f"{site.url}/**")
        assert site.times("POST", PROFILE) == [403]
        page.goto("/")
        expect(greeting(page)).to_be_visible()
        bob.refresh_from_db()
        assert bob.first_name == ""


def test_another_browser_with_its_jar_is_sent_to_the_sign_in_page(page, site, browser):
    expire(page)
    jar = page.context.cookies()
    thief = browser.new_context(base_url=site.url, ignore_https_errors=True)
    with chromium.closing(thief):
        thief.add_cookies(jar)
        copy = thief.new_page()
        copy.goto(PROFILE)
        expect(password(copy)).to_be_visible()
    page.goto("/")
    expect(greeting(page)).to_be_visible()
    assert RefreshToken.objects.live().get().probed_jti is None


@pytest.mark.slow
class TestRestarts:
    def test_whoever_is_to_stay_signed_in_proves_the_key_after_one(self, start, site, bob):
        sign_in(page := start(), remember=True)
        expire(page)
        page = start()
        site.forget()
        page.goto("/")
        expect(greeting(page)).to_be_visible()
        assert site.refreshes() == [403, 200]  # browsers don't keep the challenge

    def test_others_are_signed_out_and_sign_in_anew(self, page, start):
        before = RefreshToken.objects.get()
        page = start()
        page.goto(PROFILE)
        expect(password(page)).to_be_visible()
        sign_in(page)
        after = RefreshToken.objects.exclude(pk=before.pk).get()
        assert after.bound_key not in ("", before.bound_key)

    def test_a_profile_without_its_key_leads_to_the_sign_in_page_which_says_why(self, start, site, bob, tmp_path):
        sign_in(page := start(), remember=True)
        expire(page)
        page.context.close()
        stores = list((tmp_path / "profile").rglob("Device Bound Sessions*"))
        assert stores
        for store in stores:
            store.unlink()
        page = start()
        site.forget()
        page.goto(PROFILE)
        expect(page.get_by_text("We couldn't verify that this is the device")).to_be_visible()
        assert site.refreshes() == []
        assert RefreshToken.objects.live().exists()
        sign_in(page)
        expect(greeting(page)).to_be_visible()


class TestSigningOut:
    def test_with_everything_expired_it_ends_the_session_and_the_key_is_forgotten(self, page, site):
        expire(page)
        sign_out(page)
        assert not RefreshToken.objects.live().exists()
        expire(page)
        for asked in ([401], []):
            site.forget()
            page.goto("/accounts/login/")
            assert site.refreshes() == asked

    def test_signing_in_again_takes_a_new_key(self, page, site):
        before = RefreshToken.objects.get()
        sign_out(page)
        sign_in(page)
        expect(greeting(page)).to_be_visible()
        after = RefreshToken.objects.live().get()
        assert after.bound_key not in ("", before.bound_key)
        assert after.bound_proved_at > after.bound_at


class TestTrouble:
    @pytest.mark.parametrize("status", [500, 503])
    def test_of_the_endpoint_signs_nobody_out_and_the_next_page_tries_again(self, page, site, status):
        expire(page)
        site.trouble = status
        page.goto("/")
        expect(page.get_by_text("You're still signed in.")).to_be_visible()
        site.trouble = None
        page.reload()
        expect(greeting(page)).to_be_visible()
        assert site.refreshes()[-2:] == [status, 200]

    def test_a_key_that_the_site_refuses_is_forgotten_and_the_sign_in_page_says_why(self, page, site):
        expire(page)
        site.trouble = 401
        page.goto(PROFILE)
        expect(page.get_by_text("We couldn't verify that this is the device")).to_be_visible()
        site.trouble = None
        site.forget()
        page.goto("/")
        assert site.refreshes() == []
        assert RefreshToken.objects.live().exists()

    @pytest.mark.slow
    def test_beyond_the_quota_guarded_pages_ask_for_the_password_and_others_come_later(self, start, site, bob):
        sign_in(page := start(quota=""))
        while "/confirm/" not in page.url:
            age_mark(page)
            page.goto(PROFILE)
        assert site.refreshes() == [200] * 5
        password(page).fill(PASSWORD)
        page.get_by_role("main").get_by_role("button", name="Continue").click()
        expect(page.get_by_label("First name")).to_be_visible()
        expire(page)
        answer = page.goto("/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
        expect(page.get_by_text("You're still signed in.")).to_be_visible()
        assert site.refreshes() == [200] * 5

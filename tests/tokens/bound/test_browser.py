"""A real Chromium binds its session to a key, over TLS, and proves that it has it."""

from time import time

import pytest
from playwright.sync_api import expect

from tests.tokens.bound.conftest import expire
from tokens.binding import marks
from tokens.models import RefreshToken

pytestmark = pytest.mark.django_db(transaction=True)

PROFILE = "/accounts/profile/"


def greeting(page):
    return page.get_by_role("heading", name="Hello, bob.")


def password(page):
    return page.get_by_label("Password", exact=True)


def age_mark(page):
    """The mark is good, but no longer young."""
    row = RefreshToken.objects.live().get()
    old = marks.sign(str(row.pk), int(time()) + 600 - marks.PROVED_WITHIN)
    [cookie] = [cookie for cookie in page.context.cookies() if cookie["name"] == "__Host-bound"]
    page.context.add_cookies([{**cookie, "value": old}])


class TestProofs:
    def test_it_registers_at_the_sign_in_and_refreshes_when_the_mark_is_gone(self, page, site):
        assert site.asked == [("register", 200), ("refresh", 200)]
        for _ in range(2):
            site.asked.clear()
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
        site.refreshes()
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
        site.served.clear()
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
        site.refreshes(), site.served.clear()
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
        site.refreshes(), site.served.clear()
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
        site.refreshes(), site.served.clear()
        page.get_by_role("link").click()
        expect(page.get_by_label("First name")).to_be_visible()
        assert site.refreshes() == [200]
        assert site.times("GET", PROFILE) == ([200] if mark == "over" else [307, 200])

    def test_a_form_of_one_does_nothing_and_ends_nothing(self, page, site, bob):
        page.goto(site.elsewhere)
        expire(page)
        site.served.clear()
        page.get_by_role("button").click()
        page.wait_for_url(f"{site.url}/**")
        assert site.times("POST", PROFILE) == [403]
        page.goto("/")
        expect(greeting(page)).to_be_visible()
        bob.refresh_from_db()
        assert bob.first_name == ""

"""A form that is filled in while the session ends: it is carried through the sign-in, to its own user alone."""

from html import unescape
from urllib.parse import urlencode

import pytest
from cryptography.fernet import Fernet
from django.http import HttpResponse
from django.urls import re_path, reverse
from playwright.sync_api import expect

from accounts.models import User
from accounts.security import carried_forms
from project.urls import urlpatterns
from tests.accounts.reauthenticating import expire_reauthentication, main_form
from tests.accounts.test_repeated_forms import URLENCODED, Browser
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

pytestmark = pytest.mark.once

LOGIN, PROFILE = reverse("login"), reverse("profile")
TYPED = {"first_name": "Bob <3", "last_name": "O'Hara", "time_zone": ""}


def end_sessions():
    """As somebody does in another browser."""
    RefreshToken.objects.all().revoke(RefreshToken.Reason.ENDED)


@pytest.fixture
def bobs(bob):
    """Bob's browser, which sends the tokens of its forms, at the moment in which his session has ended."""
    browser = Browser()
    browser.send(browser.fill_in(LOGIN, username="bob", password=PASSWORD))
    return browser


def interrupted(browser, url=PROFILE, **fields):
    """The page that answers a form that is sent after the session has ended."""
    form = browser.fill_in(url, **(fields or TYPED))
    end_sessions()
    return browser.send(form)


def sign_in(browser, page, username="bob", password=PASSWORD):
    form = main_form(page)
    form.update({"username": username, "password": password})
    return browser.post(LOGIN, form.urlencode(), URLENCODED)


def go_on(browser, page):
    """Send what the page holds to where its form leads."""
    url = unescape(page.content.decode().partition("<main")[2].partition(' action="')[2].partition('"')[0])
    return browser.post(url, main_form(page).urlencode(), URLENCODED)


def test_it_is_there_after_the_sign_in_and_one_click_sends_it(bobs, bob):
    page = interrupted(bobs)
    assert page.status_code == 200 and "no-store" in page.headers["Cache-Control"]
    assert "Hara" not in page.content.decode(), "Somebody else may read the page by now."
    page = sign_in(bobs, sign_in(bobs, page, password="is it this?"))
    bob.refresh_from_db()
    assert bob.last_name == "", "A click is asked for."
    assert {key: value for key, value in main_form(page).items() if key in TYPED} == TYPED
    assert go_on(bobs, page).headers["Location"] == PROFILE
    bob.refresh_from_db()
    assert (bob.first_name, bob.last_name) == (TYPED["first_name"], TYPED["last_name"])


def test_a_form_of_the_admin_is_carried_to_its_url(alice, bob):
    browser = Browser()
    browser.send(browser.fill_in(LOGIN, username="alice", password=PASSWORD))
    expire_reauthentication()
    url = reverse("admin:accounts_user_changelist") + "?o=1"
    form = browser.fill_in(url, action="end_sessions", _selected_action=bob.pk)
    end_sessions()
    page = go_on(browser, sign_in(browser, browser.send(form), username="alice"))
    assert page.status_code == 200 and page.wsgi_request.get_full_path() == url
    assert page.context["title"] and "bob" in page.content.decode()


def test_passwords_are_not_carried_and_nothing_is_if_there_is_nothing_else(bobs):
    new = {"new_password1": "another battery horse", "new_password2": "another battery horse"}
    page = interrupted(bobs, "/accounts/password/change/", old_password=PASSWORD, **new)
    assert page.headers["Location"] == LOGIN
    sign_in(bobs, bobs.get(LOGIN))
    page = sign_in(bobs, interrupted(bobs, **TYPED, Password="s3cret", **{"proof-password": PASSWORD}))
    assert set(main_form(page)) == {"csrfmiddlewaretoken", *TYPED}


def test_somebody_else_who_signs_in_gets_nothing_of_it(bobs, alice):
    response = sign_in(bobs, interrupted(bobs), username="alice")
    assert response.headers["Location"] == "/"
    assert "Hara" not in (page := bobs.get("/").content.decode()) and "sent. If it was yours" in unescape(page)


def test_whoever_shows_no_token_is_redirected_as_ever(bobs):
    """Nobody could tell whose form it is."""
    form = bobs.fill_in(PROFILE, **TYPED)
    for name in ("__Host-access", "__Host-refresh", "__Host-session"):
        bobs.cookies.pop(name, None)
    assert bobs.send(form).headers["Location"] == LOGIN


def test_a_form_that_another_site_has_sent_is_not_carried(bobs):
    """Nobody can be made to send what they have not typed: the CSRF check comes first."""
    url, form = bobs.fill_in(PROFILE, **TYPED)
    end_sessions()
    for token in ("", "x" * 64):
        response = bobs.send((url, {**form, "csrfmiddlewaretoken": token}))
        assert response.status_code == 403 and carried_forms.FIELD not in response.content.decode()


def test_a_form_that_is_too_long_is_not_carried(bobs):
    assert interrupted(bobs, first_name="x" * carried_forms.LONGEST).headers["Location"] == LOGIN


def test_files_are_not_carried(bobs):
    url, form = bobs.fill_in(PROFILE, **TYPED)
    end_sessions()
    assert bobs.post(url, form).headers["Location"] == LOGIN  # as multipart/form-data


def test_a_url_that_begins_with_two_slashes_leads_to_no_other_site(bobs, settings):
    anything = re_path("", lambda request: HttpResponse())
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [*urlpatterns, anything]})
    _, form = bobs.fill_in(PROFILE, **TYPED)
    end_sessions()
    page = sign_in(bobs, bobs.post("/", urlencode(form), URLENCODED, PATH_INFO="//evil.example/"))
    assert 'action="/%2Fevil.example/"' in page.content.decode()


@pytest.mark.parametrize("change", ["expired", "damaged", "invented", "not ascii"])
def test_one_that_is_not_ours_or_too_old_is_dropped(bobs, change, clock):
    page = interrupted(bobs)
    value = main_form(page)[carried_forms.FIELD]
    form = bobs.fill_in(LOGIN, username="bob", password=PASSWORD)
    if change == "expired":
        clock.shift(carried_forms.LIFETIME + 1)
    else:
        invented = Fernet(Fernet.generate_key()).encrypt(b'["", "/accounts/delete/", [["a", "b"]]]').decode()
        value = {"damaged": value[:-9], "invented": invented, "not ascii": "ä" + value[1:]}[change]
    form[1][carried_forms.FIELD] = value
    assert bobs.send(form).headers["Location"] == "/"


def test_one_of_before_a_change_of_the_secret_key_is_good_with_the_fallback_alone(bobs, bob, settings):
    value = main_form(interrupted(bobs))[carried_forms.FIELD]
    settings.SECRET_KEY, old = "a new one" * 9, settings.SECRET_KEY
    assert carried_forms.restore(value, bob) is None
    settings.SECRET_KEY_FALLBACKS = [old]
    assert carried_forms.restore(value, bob).url == PROFILE


def test_a_double_click_on_the_sign_in_brings_the_form_and_one_session(bobs):
    page = interrupted(bobs)
    copies = bobs.copy(), bobs.copy()
    first, second = (sign_in(copy, page) for copy in copies)
    assert first.content == second.content and first.cookies == second.cookies
    assert RefreshToken.objects.live().count() == 1


def test_who_has_requested_deletion_decides_about_that_first(bobs):
    page = interrupted(bobs)
    User.objects.update(deletion_due_at="2100-01-01T00:00Z")
    assert sign_in(bobs, page).headers["Location"] == reverse("deletion_cancel")


class TestOpenedBeforeASignIn:
    """The CSRF token of a form is no longer good once somebody has signed in on another page of the same browser."""

    @pytest.fixture
    def stale(self, bobs):
        """Bob's form, opened before he signed in once more."""
        form = bobs.fill_in(PROFILE, **TYPED)
        end_sessions()
        bobs.send(bobs.fill_in(LOGIN, username="bob", password=PASSWORD))
        return form

    def send(self, browser, form, site="same-origin", **more):
        url, fields = form
        return browser.post(url, urlencode(fields | more), URLENCODED, headers={"sec-fetch-site": site})

    def test_it_is_offered_again_and_sent_by_a_click(self, bobs, bob, stale):
        page = self.send(bobs, stale)
        bob.refresh_from_db()
        assert page.status_code == 403 and bob.last_name == "" and "signed in as bob" in page.content.decode()
        assert go_on(bobs, page).headers["Location"] == PROFILE
        bob.refresh_from_db()
        assert (bob.first_name, bob.last_name) == (TYPED["first_name"], TYPED["last_name"])

    def test_signing_out_takes_a_click_more(self, bobs, stale):
        _, fields = stale
        page = self.send(bobs, (reverse("logout"), {"csrfmiddlewaretoken": fields["csrfmiddlewaretoken"]}))
        assert go_on(bobs, page).headers["Location"] == LOGIN
        assert not RefreshToken.objects.live().exists()

    @pytest.mark.parametrize("url", [LOGIN, reverse("signup")])
    def test_to_get_in_leads_on_whoever_is_in(self, bobs, url):
        end_sessions()
        form = bobs.fill_in(url, username="bob")
        bobs.send(bobs.fill_in(LOGIN, username="bob", password=PASSWORD))
        page = unescape(self.send(bobs, form).content.decode())
        assert "You're already signed in" in page and f'href="{url}"' in page
        assert bobs.get(url).headers["Location"] == "/"

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
    def test_nothing_is_offered_that_the_browser_does_not_say_came_from_here(self, bobs, stale, site):
        page = self.send(bobs, stale, site).content.decode()
        assert "Hara" not in page and "Reload the page" in page

    def test_nor_what_could_not_be_sent_whole(self, bobs, stale):
        for more in ({"new_password1": "s3cret"}, {"first_name": "x" * carried_forms.LONGEST}):
            page = self.send(bobs, stale, **more).content.decode()
            assert "Hara" not in page and "Reload the page" in page
        url, fields = stale
        page = bobs.post(url, fields, headers={"sec-fetch-site": "same-origin"}).content.decode()  # multipart/form-data
        assert "Hara" not in page and "Reload the page" in page

    def test_nor_what_has_no_token_of_a_form_or_no_cookie(self, bobs, stale):
        url, fields = stale
        page = self.send(bobs, (url, fields | {"csrfmiddlewaretoken": ""})).content.decode()
        assert "Hara" not in page and "Reload the page" in page
        bobs.cookies.clear()
        page = self.send(bobs, stale).content.decode()
        assert "Hara" not in page and "Reload the page" in page

    @pytest.mark.django_db(transaction=True)
    def test_a_browser_says_so_and_the_form_is_sent(self, page, live_server, bob):
        site = live_server.url.replace("127.0.0.1", "localhost")
        other = page.context.new_page()

        def sign_in():
            other.goto(f"{site}{LOGIN}")
            other.fill("[name=username]", "bob")
            other.fill("[name=password]", PASSWORD)
            with other.expect_navigation():
                other.press("[name=password]", "Enter")

        sign_in()
        page.goto(site + PROFILE)
        page.fill("[name=first_name]", "Robert")
        end_sessions()
        sign_in()
        page.press("[name=first_name]", "Enter")
        expect(page.locator("h1")).to_have_text("Please send the form again")
        page.get_by_role("main").get_by_role("button").press("Enter")
        expect(page.locator("[name=first_name]")).to_have_value("Robert")
        bob.refresh_from_db()
        assert bob.first_name == "Robert"


def test_who_has_to_confirm_their_email_first_is_told_that_it_is_dropped(bobs, settings):
    settings.EMAIL_VERIFICATION = "mandatory"
    assert sign_in(bobs, interrupted(bobs)).headers["Location"] == (verify := reverse("email_verify"))
    assert "sent. If it was yours" in unescape(bobs.get(verify).content.decode())


@pytest.mark.django_db(transaction=True)
def test_a_profile_is_saved_although_the_session_ended_meanwhile(page, live_server, bob):
    site = live_server.url.replace("127.0.0.1", "localhost")

    def sign_in():
        page.fill("[name=username]", "bob")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")

    page.goto(f"{site}{LOGIN}?next={PROFILE}")
    sign_in()
    page.fill("[name=first_name]", "Robert")
    end_sessions()
    page.press("[name=first_name]", "Enter")
    sign_in()
    page.get_by_role("main").get_by_role("button").press("Enter")
    expect(page.locator("[name=first_name]")).to_have_value("Robert")
    bob.refresh_from_db()
    assert bob.first_name == "Robert"

"""Confirm it is you: the password again, with the interrupted form in tow."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import SecurityEvent, User
from accounts.security import limits, rate_limit
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE, kinds
from tests.accounts.reauthenticating import QUESTION, answer, expire_reauthentication, main_form
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse
from tests.tokens.racing import together
from tokens.models import RefreshToken
from tokens.session import REAUTHENTICATION_TIMEOUT
from tokens.testing import Client

pytestmark = pytest.mark.once

SESSIONS = "/accounts/sessions/"
OTHERS = f"{SESSIONS}end-others/"
EXPORT = "/accounts/export/"

CHANGE = "/accounts/password/change/"
Kind = SecurityEvent.Kind


def row_of(user_agent):
    return RefreshToken.objects.get(user_agent=user_agent)


class TestProved:
    @pytest.fixture(autouse=True)
    def a_while_ago(self, here, there):
        expire_reauthentication()

    def test_lets_through_whoever_has_just_signed_in(self, here, bob, sign_in):
        sign_in(here, bob)
        elapse(REAUTHENTICATION_TIMEOUT.total_seconds() - 5, here)
        assert here.post(OTHERS).status_code == 302
        elapse(10, here)
        assert QUESTION in here.post(OTHERS).content.decode()

    def test_does_not_let_through_whoever_holds_a_copy_of_an_older_jar(self, here, bob, there, sign_in):
        """They share the row, and have not given the password."""
        sign_in(here, bob)
        thief = copy_of(here)  # with the cookie of the sign-in
        expire_reauthentication()
        answer(here, here.post(EXPORT))
        assert here.post(EXPORT).headers["Content-Type"] == "application/json"
        assert QUESTION in thief.post(OTHERS).content.decode()
        del thief.cookies["__Host-reauth"]
        assert QUESTION in thief.post(OTHERS).content.decode()
        assert row_of(CHROME).is_live

    def test_its_cookie_is_bound_to_the_host_short_lived_and_gone_at_sign_out(self, here):
        page = answer(here, here.post(EXPORT))
        cookie = page.cookies["__Host-reauth"].OutputString()
        assert cookie.endswith("; HttpOnly; Max-Age=600; Path=/; SameSite=Lax; Secure")
        assert here.post("/accounts/logout/").cookies["__Host-reauth"]["max-age"] == 0

    @pytest.mark.parametrize(
        ("name", "fields", "kind"),
        [
            ("sessions_end_others", {}, Kind.OTHERS_ENDED),
            ("sessions_end_all", {}, Kind.ALL_ENDED),
            ("username_change", {"username": "robert"}, Kind.USERNAME_CHANGED),
            ("email_change", {"email": "bob@new.example"}, Kind.EMAIL_CHANGE_ASKED),
            ("export", {}, Kind.EXPORTED),
            ("delete", {}, Kind.DELETION_ASKED),
        ],
    )
    def test_asks_whoever_did_so_longer_ago_and_then_does_it(self, here, name, fields, kind):
        page = here.post(reverse(name), fields)
        assert 'name="proof-username" value="bob" autocomplete="username" hidden' in page.content.decode()
        assert 'type="password" name="proof-password" autocomplete="current-password"' in page.content.decode()
        assert page.headers["Cache-Control"] == "private, no-store"
        assert kinds() == [Kind.SIGNED_IN] * 2
        answer(here, page)
        assert kinds()[2:] == [Kind.REAUTHENTICATED, kind]

    def test_does_not_ask_whoever_only_wants_to_leave_or_to_name(self, here, alice, using, sign_in):
        here.post(reverse("session_name", args=[row_of(FIREFOX).pk]), {"name": "Mine"})
        assert row_of(FIREFOX).name == "Mine"
        sign_in(using(IPHONE), alice)
        assert here.post(reverse("session_end", args=[row_of(IPHONE).pk])).status_code == 404  # that is none of theirs
        assert here.put(OTHERS).status_code == 405
        here.post(reverse("session_end", args=[row_of(FIREFOX).pk]))
        assert not row_of(FIREFOX).is_live

    def test_the_right_password_does_what_was_asked_for_and_counts_for_this_session_alone(self, here):
        page = here.post(reverse("session_end", args=[row_of(CHROME).pk]), {"note": "x"})
        assert answer(here, page).headers["Location"] == SESSIONS
        assert row_of(CHROME).reason == RefreshToken.Reason.ENDED
        assert kinds()[-2:] == [Kind.REAUTHENTICATED, Kind.SESSION_ENDED]
        assert SecurityEvent.objects.get(kind=Kind.REAUTHENTICATED).session_id == row_of(FIREFOX).pk
        assert timezone.now() - row_of(FIREFOX).authenticated_at < REAUTHENTICATION_TIMEOUT
        assert timezone.now() - row_of(CHROME).authenticated_at > REAUTHENTICATION_TIMEOUT
        response = answer(here, page, "anything")  # another tab, in which the question still stands
        assert response.wsgi_request.POST.dict() == {"note": "x"}

    def test_a_wrong_password_asks_again_and_loses_nothing(self, here, there):
        page = answer(here, here.post(OTHERS, {"note": ["one", "two"]}), "not it at all")
        assert page.status_code == 200
        assert page.context["form"].errors.keys() == {"password"}
        assert row_of(CHROME).is_live
        assert kinds()[-1] == Kind.REAUTHENTICATION_FAILED
        assert "not it at all" not in page.content.decode()
        response = answer(here, page)
        assert response.wsgi_request.POST.getlist("note") == ["one", "two"]
        assert not row_of(CHROME).is_live

    def test_the_view_sees_the_form_as_it_was_sent(self, here):
        sent = {
            "name": ["", " <b>\"&amp;' ", "a,b"],
            "text": ["two\r\nlines\r\n"],
            "snowman": ["☃ \u202e"],
            "proof": ["is a name like others"],
            "q": ["in the body"],
            "<script>": ['"><script>alert(1)</script>'],
        }
        page = here.post(f"{OTHERS}?q=in+the+address&r=1", sent)
        assert "<script>" not in page.content.decode()
        request = answer(here, page).wsgi_request
        assert dict(request.POST.lists()) == sent
        assert list(request.POST) == list(sent)
        assert (request.GET.urlencode(), request.method) == ("q=in+the+address&r=1", "POST")
        with pytest.raises(AttributeError, match="immutable"):
            request.POST["name"] = "x"

    def test_no_password_is_carried_and_no_file(self, here):
        sent = {"password1": "secret one", "New_Password": "secret two", "kept": "yes"}
        page = here.post(OTHERS, sent | {"picture": SimpleUploadedFile("me.png", b"x" * 10)})
        assert "secret" not in page.content.decode()
        request = answer(here, page).wsgi_request
        assert (dict(request.POST.lists()), dict(request.FILES)) == ({"kept": ["yes"]}, {})

    def test_a_silent_refresh_is_no_proof(self, here, there):
        row_of(FIREFOX).mark_authenticated()
        elapse(16 * 60, here, there)
        before = here.cookies["__Host-refresh"].value
        page = here.post(OTHERS)
        assert here.cookies["__Host-refresh"].value != before
        assert QUESTION in page.content.decode()
        assert timezone.now() - row_of(FIREFOX).authenticated_at > REAUTHENTICATION_TIMEOUT
        assert answer(here, page).status_code == 302
        assert not row_of(CHROME).is_live

    @pytest.mark.parametrize("url", [OTHERS, EXPORT, "/accounts/delete/", "/accounts/email/", "/accounts/username/"])
    def test_to_look_at_a_page_needs_none(self, here, there, url):
        page = here.get(url)
        assert page.status_code == 200
        assert QUESTION not in page.content.decode()
        assert here.head(url).status_code == 200
        assert Kind.REAUTHENTICATED not in kinds()

    @pytest.mark.parametrize("change", ["deactivated", "another password", "deleted", "session ended"])
    def test_whoever_is_gone_or_changed_in_the_middle_is_nobody(self, here, bob, change):
        page = here.post(OTHERS)
        if change == "deleted":
            bob.delete()
        elif change == "session ended":
            row_of(FIREFOX).revoke(RefreshToken.Reason.ENDED)
        else:
            User.objects.update(**{"is_active": False} if change == "deactivated" else {"password": "!"})
        response = answer(here, page)
        assert (response.status_code, response.headers["Location"]) == (302, "/accounts/login/")
        assert not {Kind.REAUTHENTICATED, Kind.OTHERS_ENDED} & set(kinds())

    def test_a_password_is_for_its_own_account(self, here, there, alice):
        alice.set_password("the password of alice")
        alice.save()
        assert answer(here, here.post(OTHERS), "the password of alice").status_code == 200
        assert row_of(CHROME).is_live

    def test_needs_its_own_token(self, here, there):
        form = main_form(here.post(OTHERS))
        form["proof-password"] = PASSWORD
        del form["csrfmiddlewaretoken"]
        here.handler.enforce_csrf_checks = True
        assert here.post(OTHERS, form.dict()).status_code == 403
        assert row_of(CHROME).is_live
        assert Kind.REAUTHENTICATED not in kinds()

    def test_a_password_without_end_is_refused_before_it_is_hashed(self, here, hashes):
        page = answer(here, here.post(OTHERS), "x" * 1025)
        assert page.context["form"].errors.keys() == {"password"}
        assert hashes == []

    def test_too_many_wrong_ones_have_to_wait_and_lose_nothing(self, here, there, hashes):
        page = here.post(OTHERS, {"note": "x"})
        for _ in range(limits.REAUTHENTICATION.visitor_and_account.free):
            page = answer(here, page, "wrong")
        hashes.clear()
        page = answer(here, page)
        assert page.status_code == 429
        assert "Retry-After" in page.headers
        assert hashes == []
        rate_limit.reset_all()
        cache.clear()
        assert answer(here, page).wsgi_request.POST.dict() == {"note": "x"}

    def test_a_right_one_forgets_the_wrong_ones(self, here):
        for _ in range(2 * limits.REAUTHENTICATION.visitor_and_account.free):
            assert answer(here, here.post(OTHERS), "wrong").status_code == 200
            expire_reauthentication()
            assert answer(here, here.post(OTHERS)).status_code == 302
            expire_reauthentication()

    def test_whoever_has_no_password_is_told_another_way(self, here, bob):
        bob.set_unusable_password()
        User.objects.filter(pk=bob.pk).update(password=bob.password)
        here.force_login(bob)
        expire_reauthentication()
        assert 'type="password"' not in here.post(OTHERS).content.decode()

    def test_a_hash_of_older_days_ends_no_session(self, here, bob, there):
        bob.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1)
        User.objects.filter(pk=bob.pk).update(password=bob.password)
        here.force_login(bob)
        expire_reauthentication()
        assert answer(here, here.post(f"{SESSIONS}end-others/")).status_code == 302
        assert here.get(SESSIONS).status_code == 200

    def test_costs_two_queries_to_ask_and_two_more_to_be_wrong(self, here, django_assert_num_queries):
        with django_assert_num_queries(2):  # the row, and whether there is a second factor
            page = here.post(OTHERS)
        with django_assert_num_queries(4):  # these, whether to record what happened, and that
            assert answer(here, page, "wrong").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_done_and_asked_for_once(here, there):
    expire_reauthentication()
    page = here.post(OTHERS)
    twins = [copy_of(here) for _ in range(4)]
    answers = together([lambda twin=twin: answer(twin, page).headers["Location"] for twin in twins])
    assert answers == [SESSIONS] * 4
    assert not row_of(CHROME).is_live
    assert 302 in [twin.post(OTHERS).status_code for twin in twins]


def test_the_docs_name_the_time():
    page = " ".join((Path(settings.BASE_DIR) / "docs/reference/accounts.md").read_text().split())
    assert f"more than {REAUTHENTICATION_TIMEOUT // timedelta(minutes=1)} minutes ago" in page


class TestChecked:
    """The form that changes the password asks for it by itself."""

    NEW = "an entirely new one"

    def change(self, client, old=PASSWORD):
        return client.post(CHANGE, {"old_password": old, "new_password1": self.NEW, "new_password2": self.NEW})

    def test_is_always_asked_for_in_the_form_itself(self, here):
        for wrong in ("", "wrong"):
            assert self.change(here, wrong).context["form"].errors.keys() == {"old_password"}
        event = SecurityEvent.objects.get(kind=Kind.REAUTHENTICATION_FAILED)
        assert event.session_id == row_of(FIREFOX).pk
        expire_reauthentication()
        assert QUESTION not in here.get(CHANGE).content.decode()
        assert self.change(here).status_code == 302
        assert kinds()[-2:] == [Kind.REAUTHENTICATED, Kind.PASSWORD_CHANGED]
        assert here.post(OTHERS).status_code == 302

    def test_counts_as_a_proof_although_the_new_one_is_none(self, here, there):
        expire_reauthentication()
        here.post(CHANGE, {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"})
        assert here.post(OTHERS).status_code == 302
        assert not row_of(CHROME).is_live


@pytest.mark.django_db(transaction=True)
def test_a_form_that_was_interrupted_is_carried_through(page, live_server, alice, bob):
    """By a real browser, in which no page may complain."""
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    site = live_server.url.replace("127.0.0.1", "localhost")
    for person in (bob, bob, User.objects.create_user("carol", "carol@example.org", PASSWORD)):
        Client(headers={"user-agent": FIREFOX}).force_login(person)
    page.goto(f"{site}/accounts/login/")
    page.fill("[name=username]", "alice")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{site}/")
    page.goto(f"{site}/admin/accounts/user/?o=1")
    page.get_by_role("row", name="bob@example.org").get_by_role("checkbox").check()
    page.select_option("[name=action]", "end_sessions")
    expire_reauthentication()

    page.locator("button[name=index]").click()
    for password in ("wrong", PASSWORD):
        expect(page.locator("[name=proof-password]")).to_be_focused()
        page.keyboard.type(password)
        with page.expect_navigation():
            page.keyboard.press("Enter")

    page.locator("button[name=confirmed]").click()
    expect(page.locator("#changelist")).to_be_visible()
    assert {row.user.username for row in RefreshToken.objects.live()} == {"alice", "carol"}
    assert complaints == []

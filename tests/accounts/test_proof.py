"""Is it you? The password once more, with the interrupted form in tow."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from accounts import gates, throttle
from accounts.models import SecurityEvent, User
from accounts.proof import PROVED_FOR
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE
from tests.accounts.proving import QUESTION, answer, forget_proofs, main_form
from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse
from tests.tokens.racing import together
from tokens.models import RefreshToken

SESSIONS = "/accounts/sessions/"
OTHERS = f"{SESSIONS}end-others/"
ALL = f"{SESSIONS}end-all/"
CHANGE = "/accounts/password/change/"
Kind = SecurityEvent.Kind

pytestmark = pytest.mark.once


@pytest.fixture
def here(using, bob, sign_in):
    """Bob's browser, in which he signed in a while ago."""
    client = using(FIREFOX)
    sign_in(client, bob)
    forget_proofs()
    return client


@pytest.fixture
def there(using, bob, sign_in):
    """Bob's other browser."""
    client = using(CHROME)
    sign_in(client, bob)
    forget_proofs()
    return client


def row_of(user_agent):
    return RefreshToken.objects.get(user_agent=user_agent)


def kinds():
    return [event.kind for event in SecurityEvent.objects.order_by("pk")]


class TestProved:
    def test_lets_through_whoever_has_just_signed_in(self, here, there):
        forget_proofs(PROVED_FOR - timedelta(seconds=5))

        assert here.post(OTHERS).status_code == 302
        assert not row_of(CHROME).is_live

    @pytest.mark.parametrize("url", [OTHERS, ALL, "another"])
    def test_asks_whoever_did_so_longer_ago(self, here, there, url):
        response = here.post(reverse("session_end", args=[row_of(CHROME).pk]) if url == "another" else url)

        assert response.status_code == 200
        assert QUESTION in response.content.decode()
        assert RefreshToken.objects.live().count() == 2

    def test_the_right_password_does_what_was_asked_for(self, here, there):
        response = answer(here, here.post(OTHERS))

        assert response.headers["Location"] == SESSIONS
        assert not row_of(CHROME).is_live
        assert kinds()[-2:] == [Kind.PROOF_GIVEN, Kind.OTHERS_ENDED]
        assert SecurityEvent.objects.get(kind=Kind.PROOF_GIVEN).session == row_of(FIREFOX).pk

    def test_holds_for_ten_minutes_and_for_this_session_alone(self, here, there):
        answer(here, here.post(OTHERS))

        assert timezone.now() - row_of(FIREFOX).authenticated_at < timedelta(minutes=1)
        assert here.post(OTHERS).status_code == 302
        assert timezone.now() - row_of(CHROME).authenticated_at > PROVED_FOR

    def test_a_wrong_password_asks_again_and_loses_nothing(self, here, there):
        page = answer(here, here.post(OTHERS, {"note": ["one", "two"]}), "wrong")

        assert page.status_code == 200
        assert page.context["form"].errors == {"password": ["This is not your password. Please try again."]}
        assert row_of(CHROME).is_live
        assert kinds()[-1] == Kind.PROOF_FAILED
        assert "wrong" not in page.content.decode().split("<main")[1].replace('class="field wrong"', "")
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
        }
        page = here.post(f"{OTHERS}?q=in+the+address&r=1", sent)
        response = answer(here, page)

        assert response.status_code == 302
        request = response.wsgi_request
        assert dict(request.POST.lists()) == sent
        assert list(request.POST) == list(sent)
        assert (request.GET.urlencode(), request.method) == ("q=in+the+address&r=1", "POST")
        with pytest.raises(AttributeError, match="immutable"):
            request.POST["name"] = "x"

    def test_what_is_carried_is_text(self, here):
        page = here.post(OTHERS, {"<script>": '"><script>alert(1)</script>'}).content.decode()

        assert "<script>" not in page
        assert '<input type="hidden" name="&lt;script&gt;"' in page

    def test_no_password_is_carried_and_no_file(self, here):
        sent = {"password1": "secret one", "New_Password": "secret two", "kept": "yes"}
        page = here.post(OTHERS, sent | {"picture": SimpleUploadedFile("me.png", b"x" * 10)})

        assert "secret" not in page.content.decode()
        request = answer(here, page).wsgi_request
        assert (dict(request.POST.lists()), dict(request.FILES)) == ({"kept": ["yes"]}, {})

    def test_django_counts_what_is_carried(self, here, settings):
        settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 50
        fields = {f"f{number}": "x" for number in range(49)}
        page = here.post(OTHERS, fields)

        assert page.status_code == 200
        assert answer(here, page).status_code == 400
        assert row_of(FIREFOX).is_live

    def test_another_tab_may_have_proved_it_meanwhile(self, here, there):
        page = here.post(OTHERS, {"note": "x"})
        answer(here, here.post(OTHERS))
        response = answer(here, page, "anything")

        assert response.status_code == 302
        assert dict(response.wsgi_request.POST.lists()) == {"note": ["x"]}

    def test_is_a_page_of_its_own_that_nobody_keeps(self, here):
        response = here.post(OTHERS, secure=True)

        assert response.headers["Cache-Control"] == "private, no-store"
        assert "Cookie" in response.headers["Vary"]
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Frame-Options"] == "DENY"

    def test_managers_of_passwords_can_fill_it_in(self, here):
        page = here.post(OTHERS).content.decode()

        assert 'name="proof-username" value="bob" autocomplete="username" hidden' in page
        assert 'type="password" name="proof-password" autocomplete="current-password"' in page

    def test_does_not_ask_whoever_only_wants_to_leave_or_to_name(self, here):
        here.post(reverse("session_name", args=[row_of(FIREFOX).pk]), {"name": "Mine"})
        assert RefreshToken.objects.get().name == "Mine"

        here.post(reverse("session_end", args=[row_of(FIREFOX).pk]))
        assert not row_of(FIREFOX).is_live

    def test_asks_for_nothing_before_it_knows_that_a_session_is_ones_own(self, here, alice, using, sign_in):
        sign_in(using(IPHONE), alice)
        forget_proofs()

        assert here.post(reverse("session_end", args=[row_of(IPHONE).pk])).status_code == 404

    @pytest.mark.parametrize("method", ["options", "put"])
    def test_a_view_takes_no_more_methods_than_before(self, here, method):
        assert getattr(here, method)(OTHERS).status_code == 405

    def test_stands_before_a_question_as_well(self, here, there):
        forget_proofs()

        assert "Is it you?" in here.get(OTHERS).content.decode()
        page = here.post(OTHERS, {"proof-method": "GET", "proof-password": PASSWORD}, follow=True)

        assert "End your other sessions?" in page.content.decode()
        assert row_of(CHROME).is_live

    def test_a_silent_refresh_is_no_proof(self, here, there):
        row_of(FIREFOX).mark_authenticated()
        elapse(16 * 60, here, there)
        before = here.cookies["__Host-refresh"].value

        page = here.post(OTHERS)

        assert here.cookies["__Host-refresh"].value != before
        assert QUESTION in page.content.decode()
        assert timezone.now() - row_of(FIREFOX).authenticated_at > PROVED_FOR
        assert answer(here, page).status_code == 302
        assert not row_of(CHROME).is_live

    def test_another_sign_in_of_the_same_browser_is_one(self, here, bob, sign_in):
        sign_in(here, bob)

        assert here.post(OTHERS).status_code == 302

    def test_whoever_was_on_the_way_to_a_page_is_sent_there(self, here):
        page = here.get("/accounts/delete/?from=mail&x=1")
        assert page.status_code == 200
        response = answer(here, page)

        assert (response.status_code, response.headers["Location"]) == (303, "/accounts/delete/?from=mail&x=1")
        assert "Delete my account" in here.get(response.headers["Location"]).content.decode()
        assert kinds()[-1] == Kind.PROOF_GIVEN

    def test_the_way_to_a_page_never_leads_elsewhere(self, here):
        """The address is the visitor's own; a browser would read two slashes as another host."""
        page = here.get("/accounts/delete/?next=//evil.example")
        assert answer(here, page).headers["Location"] == "/accounts/delete/?next=//evil.example"

    def test_a_page_is_no_deed(self, here):
        """What was asked for by a GET is shown, and not done, whatever else the form brings."""
        form = main_form(here.get("/accounts/delete/"))
        form["proof-password"] = PASSWORD
        here.post("/accounts/delete/", form.dict())

        assert User.objects.get().leaving_at is None

    @pytest.mark.parametrize("change", [{"is_active": False}, {"password": "!"}, None])
    def test_whoever_is_gone_or_changed_in_the_middle_is_nobody(self, here, there, change):
        page = here.post(OTHERS)
        people = User.objects.filter(username="bob")
        people.update(**change) if change else people.get().delete()

        response = answer(here, page)

        assert (response.status_code, response.headers["Location"]) == (302, "/accounts/login/")
        assert Kind.PROOF_GIVEN not in kinds()
        assert Kind.OTHERS_ENDED not in kinds()

    def test_nor_is_a_session_that_ended_in_the_middle(self, here, there):
        page = here.post(OTHERS)
        row_of(FIREFOX).revoke(RefreshToken.Reason.ENDED)

        assert answer(here, page).headers["Location"] == "/accounts/login/"
        assert row_of(CHROME).is_live

    def test_nobody_is_sent_to_the_log_in(self, client, db):
        for url in (OTHERS, "/accounts/delete/", "/accounts/export/"):
            response = client.post(url, {"proof-method": "POST", "proof-password": PASSWORD})
            assert response.headers["Location"] == "/accounts/login/"

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
        assert Kind.PROOF_GIVEN not in kinds()

    @pytest.mark.parametrize("length", [1025, 1_000_000])
    def test_a_password_without_end_is_refused_before_it_is_hashed(self, here, hashes, length):
        page = answer(here, here.post(OTHERS), "x" * length)

        assert page.context["form"].errors == {"password": ["A password has at most 1024 characters."]}
        assert hashes == []

    def test_too_many_wrong_ones_have_to_wait_and_lose_nothing(self, here, there, hashes):
        page = here.post(OTHERS, {"note": "x"})
        for _ in range(throttle.PROOF.visitor_and_account.free):
            page = answer(here, page, "wrong")
        hashes.clear()
        page = answer(here, page)

        assert page.status_code == 429
        assert 0 < int(page.headers["Retry-After"]) <= 10
        assert "There were too many attempts." in page.content.decode()
        assert hashes == []
        gates.look_again()
        cache.clear()
        assert answer(here, page).wsgi_request.POST.dict() == {"note": "x"}

    def test_a_right_one_forgets_the_wrong_ones(self, here):
        for _ in range(2 * throttle.PROOF.visitor_and_account.free):
            assert answer(here, here.post(OTHERS), "wrong").status_code == 200
            forget_proofs()
            assert answer(here, here.post(OTHERS)).status_code == 302
            forget_proofs()

    def test_whoever_has_no_password_is_told_another_way(self, here, bob):
        bob.set_unusable_password()
        User.objects.filter(pk=bob.pk).update(password=bob.password)
        here.force_login(bob)
        forget_proofs()

        page = here.post(OTHERS).content.decode()

        assert "Your account has no password that we could ask for." in page
        assert 'type="password"' not in page

    def test_a_hash_of_older_days_ends_no_session(self, here, bob, there):
        """A log-in would hash it anew; here that would end the very sign-in that is proved."""
        bob.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1)
        User.objects.filter(pk=bob.pk).update(password=bob.password)
        here.force_login(bob)
        forget_proofs()

        assert answer(here, here.post(f"{SESSIONS}end-others/")).status_code == 302
        assert here.get(SESSIONS).status_code == 200

    def test_costs_one_query_to_ask_and_one_more_to_be_wrong(self, here, django_assert_num_queries):
        with django_assert_num_queries(1):  # the row
            page = here.post(OTHERS)
        with django_assert_num_queries(2):  # the row, and what happened
            assert answer(here, page, "wrong").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_done_and_asked_for_once(here, there):
    page = here.post(OTHERS)
    twins = [copy_of(here) for _ in range(4)]

    answers = together([lambda twin=twin: answer(twin, page).headers["Location"] for twin in twins])

    assert answers == [SESSIONS] * 4
    assert not row_of(CHROME).is_live
    assert here.post(OTHERS).status_code == 302


def test_the_docs_name_the_time():
    page = (Path(settings.BASE_DIR) / "docs/account.md").read_text()
    assert f"more\nthan {PROVED_FOR // timedelta(minutes=1)} minutes ago" in page


class TestChecked:
    """The form that changes the password asks for it by itself."""

    NEW = "an entirely new one"

    def change(self, client, old=PASSWORD):
        return client.post(CHANGE, {"old_password": old, "new_password1": self.NEW, "new_password2": self.NEW})

    def test_is_always_asked_for(self, here):
        forget_proofs(timedelta())

        assert self.change(here, "").context["form"].errors.keys() == {"old_password"}

    def test_is_asked_in_the_form_itself(self, here, bob):
        assert QUESTION not in here.get(CHANGE).content.decode()
        assert self.change(here).status_code == 302
        assert kinds()[-2:] == [Kind.PROOF_GIVEN, Kind.PASSWORD_CHANGED]

    def test_counts_as_a_proof(self, here, there):
        here.post(CHANGE, {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"})

        assert here.post(OTHERS).status_code == 302
        assert not row_of(CHROME).is_live

    def test_a_changed_password_leaves_a_sign_in_that_is_proved(self, here):
        self.change(here)

        assert here.post(OTHERS).status_code == 302

    def test_a_wrong_one_is_written_down(self, here):
        self.change(here, "wrong")

        event = SecurityEvent.objects.first()
        assert (event.kind, event.session) == (Kind.PROOF_FAILED, row_of(FIREFOX).pk)

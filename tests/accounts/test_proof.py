"""Is it you? The password once more, with the interrupted form in tow."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from accounts.models import SecurityEvent
from accounts.proof import PROVED_FOR
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE
from tests.accounts.forms import main_form
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

SESSIONS = "/accounts/sessions/"
OTHERS = f"{SESSIONS}end-others/"
ALL = f"{SESSIONS}end-all/"
CHANGE = "/accounts/password/change/"
QUESTION = "Is it you?"
Kind = SecurityEvent.Kind


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


def forget_proofs(ago=PROVED_FOR + timedelta(seconds=1)):
    RefreshToken.objects.update(proved_at=timezone.now() - ago)


def row_of(user_agent):
    return RefreshToken.objects.get(user_agent=user_agent)


def kinds():
    return [event.kind for event in SecurityEvent.objects.order_by("pk")]


def answer(client, page, password=PASSWORD):
    """Type the password into the page that asks for it, and send it."""
    assert QUESTION in page.content.decode()
    form = main_form(page)
    form["proof-password"] = password
    url = page.wsgi_request.get_full_path()
    return client.post(url, form.urlencode(), content_type="application/x-www-form-urlencoded")


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

        assert timezone.now() - row_of(FIREFOX).proved_at < timedelta(minutes=1)
        assert here.post(OTHERS).status_code == 302
        assert timezone.now() - row_of(CHROME).proved_at > PROVED_FOR

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

    @pytest.mark.parametrize("method", ["get", "head", "options", "put"])
    def test_a_view_for_posts_stays_one(self, here, method):
        assert getattr(here, method)(OTHERS).status_code == 405

    def test_costs_one_query_to_ask_and_one_more_to_be_wrong(self, here, django_assert_num_queries):
        with django_assert_num_queries(1):  # the row
            page = here.post(OTHERS)
        with django_assert_num_queries(2):  # the row, and what happened
            assert answer(here, page, "wrong").status_code == 200


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

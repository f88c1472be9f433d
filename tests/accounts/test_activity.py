"""What happened to an account, as its person reads it."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from accounts.models import SecurityEvent, User
from accounts.models.event import HISTORY_KEPT
from tests.accounts.conftest import FIREFOX

ACTIVITY = "/accounts/activity/"
Kind = SecurityEvent.Kind


class TestActivity:
    def test_tells_in_words_the_newest_first(self, using, bob, sign_in):
        client = using(FIREFOX)
        client.post(reverse("login"), {"username": "bob", "password": "wrong"})
        sign_in(client, bob)

        page = client.get(ACTIVITY).content.decode()

        assert page.index("Signed in") < page.index("A sign-in failed")
        assert "Firefox 128 on Linux · 127.0.0.1" in page

    def test_shows_nobody_elses(self, client, bob, alice, sign_in):
        SecurityEvent.objects.record(None, alice, Kind.REUSE_FOUND)
        sign_in(client, bob)

        assert "A copy of a sign-in" not in client.get(ACTIVITY).content.decode()

    def test_says_what_to_do_about_a_theft(self, client, bob, sign_in):
        SecurityEvent.objects.record(None, bob, Kind.REUSE_FOUND)
        sign_in(client, bob)

        assert "Change your password if this was not you." in client.get(ACTIVITY).content.decode()

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            (Kind.ALL_ENDED, "<h3>An administrator signed you out everywhere</h3>"),
            (Kind.RESET_ASKED, "<h3>An administrator sent you a link to a new password</h3>"),
            (Kind.PASSWORD_CHANGED, "by an administrator"),  # of which none does any more
        ],
    )
    def test_says_who_it_was_if_it_was_an_administrator(self, client, bob, alice, sign_in, kind, words):
        SecurityEvent.objects.record(None, bob, kind, by=alice)
        sign_in(client, bob)

        page = client.get(ACTIVITY).content.decode()
        assert words in page
        assert "alice" not in page

    def test_says_nothing_of_administrators_where_there_was_none(self, client, bob, sign_in):
        SecurityEvent.objects.record(None, bob, Kind.ALL_ENDED, by=bob)
        sign_in(client, bob)

        page = client.get(ACTIVITY).content.decode()
        assert "All sessions were ended" in page
        assert "dministrator" not in page

    @pytest.mark.parametrize("number", ["2", "99", "x", "-1"])
    def test_has_pages(self, client, bob, sign_in, number, django_assert_num_queries):
        for _ in range(25):
            SecurityEvent.objects.record(None, bob, Kind.SIGNED_OUT)
        sign_in(client, bob)
        client.get("/")

        with django_assert_num_queries(3):  # the row, how many events, this page of them
            response = client.get(ACTIVITY, {"page": number})

        assert len(response.context["page"]) in (6, 20)

    @pytest.mark.parametrize("number", ["", "0", "1e3", "9" * 40, "\x00", "1;2", "٣", "<script>"])
    def test_a_number_that_is_none_is_some_page(self, client, bob, sign_in, number):
        sign_in(client, bob)

        response = client.get(ACTIVITY, {"page": number})

        assert response.context["page"].number == 1
        assert "<script>" not in response.content.decode()

    def test_every_page_follows_the_one_before(self, client, bob, sign_in):
        sign_in(client, bob)
        made = [SecurityEvent.objects.record(None, bob, Kind.SIGNED_OUT).pk for _ in range(44)]

        shown = [event.pk for number in (1, 2, 3) for event in client.get(ACTIVITY, {"page": number}).context["page"]]

        assert shown[:44] == made[::-1]
        assert len(shown) == 45

    def test_has_words_for_everything(self, client, bob, sign_in):
        sign_in(client, bob)
        for kind in Kind.values:
            SecurityEvent.objects.record(None, bob, kind)

        pages = "".join(client.get(ACTIVITY, {"page": number}).content.decode() for number in (1, 2))

        for kind in Kind:
            assert f"<h3>{escape(kind.label)}</h3>" in pages
            assert kind.label != kind.value.replace("_", " ").title()  # which Django makes up

    @pytest.mark.parametrize("kind", ["sign_in_failed", "proof_failed", "copy_tried", "reuse_found"])
    def test_marks_what_to_look_at_twice(self, client, bob, sign_in, kind):
        sign_in(client, bob)
        assert 'class="alarming"' not in client.get(ACTIVITY).content.decode()

        SecurityEvent.objects.record(None, bob, kind)

        assert client.get(ACTIVITY).content.decode().count('class="alarming"') == 1

    def test_says_from_where_as_far_as_is_known(self, client, bob, alice, sign_in, rf):
        sign_in(client, bob)
        for about, by in (({"REMOTE_ADDR": "203.0.113.7"}, None), ({"REMOTE_ADDR": "203.0.113.8"}, alice)):
            SecurityEvent.objects.record(rf.get("/", **about), bob, Kind.SESSION_ENDED, by=by)
        SecurityEvent.objects.record(None, bob, Kind.ACTIVATED)

        page = client.get(ACTIVITY).content.decode()

        assert "A browser we do not know · 203.0.113.7" in page
        assert "203.0.113.8" not in page
        assert page.count("A browser we do not know") == 2  # the sign-in of this test is the other one

    def test_goes_back_as_far_as_it_says(self, client, bob, sign_in):
        sign_in(client, bob)
        for age in (HISTORY_KEPT - timedelta(minutes=1), HISTORY_KEPT + timedelta(minutes=1)):
            SecurityEvent.objects.create(user=bob, kind=Kind.SIGNED_OUT, at=timezone.now() - age)

        response = client.get(ACTIVITY)

        assert "We keep this for 180 days." in response.content.decode()
        assert len(response.context["page"]) == 2

    def test_a_header_is_text(self, using, bob, sign_in):
        client = using("<script>alert(1)</script>/1.0 (X11; Linux)")
        sign_in(client, bob)

        assert "<script>" not in client.get(ACTIVITY).content.decode()

    def test_whoever_is_gone_is_sent_to_the_log_in(self, client, bob, sign_in):
        assert client.get(ACTIVITY).headers["Location"] == f"/accounts/login/?next={ACTIVITY}"
        sign_in(client, bob)
        User.objects.filter(pk=bob.pk).update(is_active=False)

        assert client.get(ACTIVITY).headers["Location"] == f"/accounts/login/?next={ACTIVITY}"

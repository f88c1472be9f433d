"""Where somebody is signed in: seen, named and ended."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE
from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import Client

SESSIONS = "/accounts/sessions/"
Reason = RefreshToken.Reason


@pytest.fixture
def here(using, bob, sign_in):
    """Bob's browser."""
    client = using(FIREFOX)
    sign_in(client, bob)
    return client


def row_of(user_agent):
    return RefreshToken.objects.get(user_agent=user_agent)


def page_of(client):
    return " ".join(client.get(SESSIONS).content.decode().split())


class TestList:
    def test_shows_browser_system_address_and_how_it_was_opened(self, here):
        page = page_of(here)

        assert "Firefox 128 on Linux" in page
        assert "127.0.0.1" in page
        assert "<p>Active now · <time" in page
        started = RefreshToken.objects.order_by("created_at").last().created_at
        assert f">signed in {started:%-d %B} with your password</time>" in page

    def test_this_device_comes_first(self, here, there):
        for client, mine in ((here, "Firefox"), (there, "Chrome")):
            live = client.get(SESSIONS).context["live"]
            assert [session.here for session in live] == [True, False]
            assert mine in live[0].title

    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (timedelta(minutes=59), "Active within the last hour"),
            (timedelta(hours=1, minutes=5), "Active 1 hour ago"),
            (timedelta(hours=3, minutes=5), "Active 3 hours ago"),
            (timedelta(days=2, hours=1), "Active 2 days ago"),
        ],
    )
    def test_says_when_another_was_last_seen(self, here, there, age, words):
        RefreshToken.objects.filter(user_agent=CHROME).update(last_used_at=timezone.now() - age)

        assert words in page_of(here)

    def test_shows_nobody_elses(self, here, alice, using, sign_in):
        sign_in(using(IPHONE), alice)

        assert "Safari" not in page_of(here)

    def test_costs_three_queries_however_many_there_are(self, here, bob, using, sign_in, django_assert_num_queries):
        for _ in range(5):
            sign_in(using(CHROME), bob)
        RefreshToken.objects.filter(user_agent=CHROME).first().revoke(Reason.ENDED)

        with django_assert_num_queries(3):  # this row with its person, the live ones, the ended ones
            page_of(here)

    def test_comes_page_by_page_this_device_first_and_those_that_ended_last(self, here, many):
        pages = [here.get(SESSIONS, {"page": number}) for number in range(1, 5)]

        assert [len(page.context["live"]) for page in pages] == [10, 10, 5, 0]
        assert [len(page.context["ended"]) for page in pages] == [0, 0, 5, 10]
        assert pages[0].context["live"][0].here
        assert [page.content.count(b"<svg width") for page in pages] == [1, 0, 0, 0]
        assert all(b"End the 24 other sessions" in page.content for page in pages[:3])

    @pytest.mark.parametrize("language", ["en", "de"])
    def test_stays_light_in_every_language(self, here, many, language):
        """With the style sheet, the script and the heads of all: tests/ui/test_looks.py weighs them."""
        answer = here.get(SESSIONS, headers={"Accept-Language": language})

        assert answer.headers["Content-Language"] == language
        assert len(answer.content) < 19_000

    def test_a_header_is_text(self, using, bob, sign_in):
        client = using("<script>alert(1)</script>/1.0 (X11; Linux)")
        sign_in(client, bob)
        client.post(reverse("session_name", args=[RefreshToken.objects.get().pk]), {"name": "<b>x</b>"})

        page = page_of(client)

        assert "<script>" not in page
        assert "<b>" not in page
        assert "&lt;b&gt;x&lt;/b&gt;" in page

    def test_is_closed(self, client, db):
        assert client.get(SESSIONS).headers["Location"] == f"/accounts/login/?next={SESSIONS}"


@pytest.fixture
def many(here, bob):
    """Bob has twenty-four other sessions, and twenty that are over."""
    hash_ = RefreshToken.objects.get().auth_hash
    RefreshToken.objects.bulk_create(
        RefreshToken(
            **{
                "user": bob,
                "user_agent": CHROME,
                "ip_address": "2001:db8:4f0:21:5d1e:77c2:9a0b:1f34",
                "auth_hash": hash_,
            },
            **{"jti": uuid4(), "created_at": timezone.now(), "last_used_at": timezone.now(), "method": "password"},
            **{"expires_at": timezone.now() + timedelta(days=9), "remember": True},
            **({} if number < 24 else {"revoked_at": timezone.now(), "reason": Reason.EVICTED}),
        )
        for number in range(44)
    )


class TestEnded:
    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            (Reason.SIGNED_OUT, "signed out"),
            (Reason.ENDED, "ended from the list of sessions"),
            (Reason.REUSED, "a copy of a sign-in was used"),
            (Reason.ADMIN, "ended by an administrator"),
        ],
    )
    def test_stays_listed_with_the_reason(self, here, there, reason, words):
        row_of(CHROME).revoke(reason)

        page = page_of(here).partition("Ended lately")[2]

        assert "Chrome 131 on Windows" in page
        assert f"</time> · {words}</p>" in page

    def test_one_that_ran_out_is_listed_too(self, here, there):
        RefreshToken.objects.filter(user_agent=CHROME).update(expires_at=timezone.now() - timedelta(minutes=1))

        assert "</time> · not used for too long</p>" in page_of(here).partition("Ended lately")[2]

    def test_is_forgotten_after_a_month(self, here, there):
        row_of(CHROME).revoke(Reason.ENDED)
        RefreshToken.objects.filter(user_agent=CHROME).update(revoked_at=timezone.now() - timedelta(days=31))

        assert "Chrome" not in page_of(here)


class TestEnd:
    def test_ends_one(self, here, there):
        response = here.post(reverse("session_end", args=[row_of(CHROME).pk]), follow=True)

        assert "Ended: Chrome 131 on Windows." in response.content.decode()
        assert row_of(CHROME).reason == Reason.ENDED
        assert row_of(FIREFOX).is_live
        assert there.get(SESSIONS).status_code == 302

    def test_the_ended_browser_is_told_at_its_next_page(self, here, there):
        here.post(reverse("session_end", args=[row_of(CHROME).pk]))

        page = there.get("/accounts/profile/", follow=True).content.decode()

        assert "This session was ended from the list of sessions." in page

    def test_ending_the_one_in_use_is_signing_out(self, here, there):
        response = here.post(reverse("session_end", args=[row_of(FIREFOX).pk]), follow=True)

        assert "You are signed out." in response.content.decode()
        assert row_of(CHROME).is_live

    def test_is_recorded(self, here, there, bob):
        here.post(reverse("session_end", args=[row_of(CHROME).pk]))

        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.session_id) == ("session_ended", bob, row_of(CHROME).pk)
        assert event.user_agent == FIREFOX

    def test_twice_is_kind(self, here, there):
        for _ in range(2):
            response = here.post(reverse("session_end", args=[row_of(CHROME).pk]), follow=True)

        assert "This session was over already." in response.content.decode()
        assert SecurityEvent.objects.filter(kind="session_ended").count() == 1

    @pytest.mark.parametrize("view", ["session_end", "session_name"])
    def test_somebody_elses_does_not_exist(self, here, alice, using, sign_in, view):
        sign_in(using(IPHONE), alice)
        foreign = row_of(IPHONE)

        answers = {
            here.post(reverse(view, args=[key]), {"name": "mine now"}).status_code for key in (foreign.pk, uuid4())
        }

        assert answers == {404}
        unchanged = row_of(IPHONE)
        assert unchanged.is_live
        assert unchanged.name == ""


class TestEndOthers:
    def test_leaves_this_one(self, here, there, bob, using, sign_in):
        sign_in(using(IPHONE), bob)

        response = here.post(reverse("sessions_end_others"), follow=True)

        assert "2 other sessions were ended." in response.content.decode()
        assert RefreshToken.objects.live().get() == row_of(FIREFOX)
        assert SecurityEvent.objects.first().kind == "others_ended"

    def test_leaves_other_people_alone(self, here, alice, using, sign_in):
        sign_in(using(IPHONE), alice)

        here.post(reverse("sessions_end_others"))
        here.post(reverse("sessions_end_all"))

        assert row_of(IPHONE).is_live


class TestEndAll:
    def test_ends_this_one_too(self, here, there):
        response = here.post(reverse("sessions_end_all"), follow=True)

        assert "All your sessions were ended, this one too." in response.content.decode()
        assert not RefreshToken.objects.live().exists()
        assert {row.reason for row in RefreshToken.objects.all()} == {Reason.ENDED}
        assert here.get(SESSIONS).status_code == 302
        assert "__Host-access" not in {name for name, cookie in here.cookies.items() if cookie.value}

    def test_is_recorded_once(self, here):
        here.post(reverse("sessions_end_all"))

        assert [event.kind for event in SecurityEvent.objects.all()] == ["all_ended", "signed_in"]


class TestQuestions:
    """What stands between a click and an end."""

    def test_says_which_session_it_is_and_what_will_happen(self, here, there):
        page = here.get(reverse("session_end", args=[row_of(CHROME).pk])).content.decode()

        assert "Chrome 131 on Windows" in page
        assert "That browser is signed out at once." in page
        assert "You stay signed in here." in page

    def test_says_that_it_is_the_one_in_use(self, here, there):
        page = here.get(reverse("session_end", args=[row_of(FIREFOX).pk])).content.decode()

        assert "End the session you are in?" in page
        assert "Your other sessions go on." in page

    def test_asks_nothing_about_one_that_is_over(self, here, there):
        row_of(CHROME).revoke(Reason.ENDED)

        response = here.get(reverse("session_end", args=[row_of(CHROME).pk]), follow=True)

        assert "This session was over already." in response.content.decode()

    def test_somebody_elses_does_not_exist(self, here, alice, using, sign_in):
        sign_in(using(IPHONE), alice)

        assert here.get(reverse("session_end", args=[row_of(IPHONE).pk])).status_code == 404

    def test_names_all_others_and_not_this_one(self, here, there, bob, using, sign_in):
        sign_in(using(IPHONE), bob)

        page = here.get(reverse("sessions_end_others")).content.decode()

        assert "Chrome 131 on Windows" in page
        assert "on iPhone" in page
        assert "Firefox" not in page
        assert "End the 2 other sessions" in page

    def test_names_them_in_the_order_of_the_list(self, here, there, bob, using, sign_in):
        sign_in(using(IPHONE), bob)

        page = here.get(reverse("sessions_end_others")).content.decode()

        assert page.index("on iPhone") < page.index("Chrome 131 on Windows")  # the latest used first

    def test_the_button_posts_to_where_it_is(self, here, there):
        for url in (reverse("sessions_end_others"), reverse("sessions_end_all")):
            page = here.get(url).content.decode().partition("<main")[2]
            assert '<form method="post">' in page

    def test_counts_with_no_more_queries_than_needed(self, here, there, django_assert_num_queries):
        with django_assert_num_queries(2):  # this row with its person, the others
            here.get(reverse("sessions_end_others"))


class TestName:
    def test_names_a_session(self, here, there):
        url = reverse("session_name", args=[row_of(CHROME).pk])
        assert "Chrome 131 on Windows" in here.get(url).content.decode()

        response = here.post(url, {"name": "Work laptop"}, follow=True)

        assert "The name was saved." in response.content.decode()
        assert "Work laptop" in page_of(here)

    def test_changes_nothing_else(self, here, there):
        row = row_of(CHROME)
        url = reverse("session_name", args=[row.pk])

        here.post(url, {"name": "Work laptop", "remember": "on", "user": "1", "ip_address": "192.0.2.1"})

        after = row_of(CHROME)
        assert (after.remember, after.user_id, after.ip_address) == (row.remember, row.user_id, row.ip_address)

    def test_an_empty_name_takes_it_away(self, here):
        url = reverse("session_name", args=[row_of(FIREFOX).pk])
        here.post(url, {"name": "Old"})

        here.post(url, {"name": ""})

        assert "Firefox 128 on Linux" in page_of(here)

    def test_has_sixty_characters(self, here):
        response = here.post(reverse("session_name", args=[row_of(FIREFOX).pk]), {"name": "x" * 61})

        assert "name" in response.context["form"].errors


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("head", 200), ("options", 405)])
@pytest.mark.parametrize("view", ["session_end", "sessions_end_others", "sessions_end_all"])
def test_only_a_post_ends_anything(here, there, view, method, status):
    args = [row_of(CHROME).pk] if view == "session_end" else []

    assert getattr(here, method)(reverse(view, args=args)).status_code == status
    assert RefreshToken.objects.live().count() == 2


def test_a_form_from_elsewhere_ends_nothing(bob, sign_in):
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)

    assert client.post(reverse("sessions_end_all")).status_code == 403
    assert RefreshToken.objects.live().count() == 1


def test_a_guarded_page_has_no_lag(here, bob):
    User.objects.filter(pk=bob.pk).update(is_active=False)

    assert here.get(SESSIONS).status_code == 302
    assert bob.check_password(PASSWORD)

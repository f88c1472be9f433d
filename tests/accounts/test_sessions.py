"""Where somebody is signed in: seen, named and ended."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.forms import SessionNameForm
from accounts.models import SecurityEvent, User
from tests.accounts.conftest import CHROME, FIREFOX, IPHONE, kinds
from tokens.models import RefreshToken

SESSIONS = "/accounts/sessions/"
Reason = RefreshToken.Reason


def row_of(user_agent):
    return RefreshToken.objects.get(user_agent=user_agent)


def page_of(client):
    return " ".join(client.get(SESSIONS).content.decode().split())


class TestList:
    def test_shows_browser_system_address_and_how_it_was_opened(self, here):
        page = page_of(here)
        for shown in ("Firefox 128 on Linux", "127.0.0.1", "with your password"):
            assert shown in page

    def test_this_device_comes_first(self, here, there):
        for client, mine in ((here, "Firefox"), (there, "Chrome")):
            live = client.get(SESSIONS).context["live"]
            assert [session.is_current for session in live] == [True, False]
            assert mine in live[0].title

    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (timedelta(minutes=59), "in the last hour"),
            (timedelta(hours=1, minutes=5), "1 hour ago"),
            (timedelta(days=2, hours=1), "2 days ago"),
        ],
    )
    def test_says_when_another_was_last_seen(self, here, there, age, words):
        RefreshToken.objects.filter(user_agent=CHROME).update(last_used_at=timezone.now() - age)
        assert words in page_of(here)

    def test_says_what_is_bound_to_its_device_and_nobody_sees_the_key(self, here, there, admin, settings):
        bound = RefreshToken.objects.filter(user_agent=CHROME)
        bound.update(bound_key="the-key", bound_at="2026-01-02T03:00Z", bound_proved_at="2026-01-04T05:06Z")
        assert page_of(here).count("Bound to its device since 2 January, last verified 4 January") == 1
        row = admin.get(reverse("admin:tokens_refreshtoken_change", args=[bound.get().pk])).content.decode()
        assert "Device last verified" in row
        exported = here.post("/accounts/export/").content.decode()
        assert '"bound_proved_at": "2026-01-04T05:06:00+00:00"' in exported
        assert "the-key" not in row + exported + page_of(here)
        settings.TOKENS_BOUND_LIFETIME = 0
        assert "Bound to" not in page_of(here)

    def test_shows_nobody_elses(self, here, alice, using, sign_in):
        sign_in(using(IPHONE), alice)
        assert "Safari" not in page_of(here)

    def test_costs_three_queries_however_many_there_are(self, here, many, django_assert_num_queries):
        with django_assert_num_queries(3):  # this row with its person, the live ones, the ended ones
            page_of(here)

    def test_comes_page_by_page_this_device_first_and_those_that_ended_last(self, here, many):
        pages = [here.get(SESSIONS, {"page": number}) for number in (1, 10, 11, 12)]
        assert [len(page.context["live"]) for page in pages] == [10, 10, 1, 0]
        assert [len(page.context["ended"]) for page in pages] == [0, 0, 9, 10]
        assert pages[0].context["live"][0].is_current
        assert [page.content.count(b'id="chart"') for page in pages] == [1, 0, 0, 0]
        assert all(page.context["others"] == 100 for page in pages[:3])

    def test_an_action_leads_back_to_its_page_and_row(self, here, many):
        place = "?q=Chrome&page=3"
        first, second, third, *_ = here.get(f"{SESSIONS}{place}").context["live"]
        links = re.findall(r'href="([^"]*/end/[^"]*)"', here.get(f"{SESSIONS}{place}").content.decode())
        assert links[1] == f"{second.key}/end/?q=Chrome&amp;page=3&amp;row=2"
        link, back = SESSIONS + links[1].replace("&amp;", "&"), f"{SESSIONS}{place}&row=2#row"
        assert here.get(link).context["back"] == back
        assert here.post(link).headers["Location"] == back
        answer = here.get(back)
        assert answer.context["at"] == third
        row = re.search(
            r'<li><div class="messages".*?</li><li id="row" tabindex="-1">.*?</li>', answer.content.decode()
        )
        assert (answer.content.count(b"messages"), answer.content.count(b'id="row"')) == (1, 1)
        assert third.key in row[0]
        naming = here.get(f"{SESSIONS}{place}&name={first.key}").content.decode()
        action = re.search(r'action="([^"]*/name/[^"]*)"', naming)[1].replace("&amp;", "&")
        assert here.post(action, {"name": "Office"}).headers["Location"] == f"{SESSIONS}{place}&row=1#row"

    @pytest.mark.parametrize(
        ("place", "at"), [("row=10", -1), ("row=2", 1), ("row=0", None), ("row=x", None), ("", None)]
    )
    def test_a_row_that_is_gone_is_the_last_one(self, here, there, place, at):
        page = here.get(f"{SESSIONS}?{place}").context
        assert page["at"] == (page["live"][at] if at is not None else None)

    def test_a_search_that_finds_nothing_any_more_has_the_heading_there(self, here):
        assert b'<h1 id="row"' in here.get(f"{SESSIONS}?q=nowhere&row=1").content

    def test_finds_by_device_name_and_address_on_every_page_of_what_is_found(
        self, here, many, django_assert_num_queries
    ):
        row = RefreshToken.objects.filter(user_agent=CHROME).last()
        RefreshToken.objects.filter(pk=row.pk).update(name="Der große Laptop")
        for query, count in (("GROSSE chrome", 1), ("firefox linux", 1), (" 2001:DB8: ", 120), ("nobody's", 0)):
            with django_assert_num_queries(3):
                answer = here.get(SESSIONS, {"q": query})
            assert answer.context["page"].paginator.count == count, query
            assert ("?q=2001%3ADB8%3A&amp;page=2" in answer.content.decode()) == (count > 10)
            assert answer.context["chart"] is None

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


@pytest.fixture
def many(here, bob):
    """Bob has a hundred other sessions, and twenty that are over."""
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
            **{"bound_key": "a key", "bound_at": timezone.now(), "bound_proved_at": timezone.now()},
            **({} if number < 100 else {"revoked_at": timezone.now(), "reason": Reason.EVICTED}),
        )
        for number in range(120)
    )


class TestEnded:
    """What is over stays listed for a month, with the reason."""

    def test_stays_listed_with_the_reason(self, here, there):
        words = set()
        for reason in (Reason.SIGNED_OUT, Reason.ENDED, Reason.REUSED, Reason.ADMIN):
            RefreshToken.objects.filter(user_agent=CHROME).update(revoked_at=timezone.now(), reason=reason)
            [session] = here.get(SESSIONS).context["ended"]
            assert session.title == "Chrome 131 on Windows"
            words.add(re.search(r"Chrome 131 on Windows.*?</time> · ([^<]+)</p>", page_of(here))[1])
        assert len(words) == 4

    def test_one_that_ran_out_is_listed_too(self, here, there):
        RefreshToken.objects.filter(user_agent=CHROME).update(expires_at=timezone.now() - timedelta(minutes=1))
        assert [session.row.user_agent for session in here.get(SESSIONS).context["ended"]] == [CHROME]

    def test_is_forgotten_after_a_month(self, here, there):
        row_of(CHROME).revoke(Reason.ENDED)
        for days, listed in ((29, 1), (31, 0)):
            RefreshToken.objects.filter(user_agent=CHROME).update(revoked_at=timezone.now() - timedelta(days=days))
            assert len(here.get(SESSIONS).context["ended"]) == listed


class TestEnd:
    def test_ends_one(self, here, there, bob):
        url = reverse("session_end", args=[row_of(CHROME).pk])
        assert "Chrome 131 on Windows" in here.get(url).content.decode()  # the question
        assert "Chrome 131 on Windows" in here.post(url, follow=True).content.decode()  # and what was done
        assert row_of(CHROME).reason == Reason.ENDED
        assert row_of(FIREFOX).is_live
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.session_id) == ("session_ended", bob, row_of(CHROME).pk)
        assert event.user_agent == FIREFOX
        assert there.get(SESSIONS).status_code == 302

    def test_ending_the_one_in_use_is_signing_out(self, here, there):
        url = reverse("session_end", args=[row_of(FIREFOX).pk])
        assert here.get(url).context["session"].is_current
        assert here.post(url).headers["Location"] == "/accounts/login/"
        assert row_of(CHROME).is_live
        assert not row_of(FIREFOX).is_live

    def test_twice_is_kind(self, here, there):
        url = reverse("session_end", args=[row_of(CHROME).pk])
        assert [here.post(url).status_code for _ in range(2)] == [302, 302]
        assert here.get(url).headers["Location"] == SESSIONS
        assert SecurityEvent.objects.filter(kind="session_ended").count() == 1

    @pytest.mark.parametrize("view", ["session_end", "session_name"])
    def test_somebody_elses_does_not_exist(self, here, alice, using, sign_in, view):
        sign_in(using(IPHONE), alice)
        for key in (row_of(IPHONE).pk, uuid4()):
            url = reverse(view, args=[key])
            assert here.get(url).status_code == here.post(url, {"name": "mine now"}).status_code == 404
        assert row_of(IPHONE).is_live
        assert row_of(IPHONE).name == ""


class TestEndOthers:
    def test_names_them_in_the_order_of_the_list_and_leaves_this_one(
        self, here, there, bob, using, sign_in, django_assert_num_queries
    ):
        sign_in(using(IPHONE), bob)
        here.get(SESSIONS)
        with django_assert_num_queries(3):  # this row with its person, the others, trusted browsers
            page = here.get(reverse("sessions_end_others")).content.decode()
        assert page.index("on iPhone") < page.index("Chrome 131 on Windows")  # the latest used first
        assert "Firefox" not in page
        here.post(reverse("sessions_end_others"))
        assert RefreshToken.objects.live().get() == row_of(FIREFOX)
        assert SecurityEvent.objects.first().kind == "others_ended"

    def test_names_eight_of_a_hundred(self, here, many, django_assert_num_queries):
        with django_assert_num_queries(3):
            page = here.get(reverse("sessions_end_others")).content.decode()
        assert page.count("<li><bdi>") == 8
        assert re.search(r"<li>[^<]*\b92\b", page)

    def test_without_any_others_leads_back(self, here):
        for way in (here.get, here.post):
            assert way(reverse("sessions_end_others")).headers["Location"] == SESSIONS

    def test_leaves_other_people_alone(self, here, alice, using, sign_in):
        sign_in(using(IPHONE), alice)
        here.post(reverse("sessions_end_others"))
        here.post(reverse("sessions_end_all"))
        assert row_of(IPHONE).is_live


class TestEndAll:
    def test_ends_this_one_too_and_is_recorded_once(self, here):
        assert here.post(reverse("sessions_end_all")).headers["Location"] == "/accounts/login/"
        assert {row.reason for row in RefreshToken.objects.all()} == {Reason.ENDED}
        assert here.get(SESSIONS).status_code == 302
        assert "__Host-access" not in {name for name, cookie in here.cookies.items() if cookie.value}
        assert kinds() == ["signed_in", "all_ended"]


class TestName:
    def test_names_a_session_and_changes_nothing_else(self, here, there):
        row = row_of(CHROME)
        url = reverse("session_name", args=[row.pk])
        assert "Chrome 131 on Windows" in here.get(url).content.decode()
        here.post(url, {"name": "Work laptop", "remember": "on", "user": "1", "ip_address": "192.0.2.1"})
        assert "Work laptop" in page_of(here)
        after = row_of(CHROME)
        assert (after.remember, after.user_id, after.ip_address) == (row.remember, row.user_id, row.ip_address)

    def test_leaves_a_generation_that_was_confirmed_meanwhile(self, here):
        form = SessionNameForm({"name": "Work laptop"}, instance=row_of(FIREFOX))
        assert form.is_valid()
        RefreshToken.objects.update(generation=2)

        form.save()

        assert (row_of(FIREFOX).name, row_of(FIREFOX).generation) == ("Work laptop", 2)

    def test_an_empty_name_takes_it_away(self, here):
        url = reverse("session_name", args=[row_of(FIREFOX).pk])
        for name, shown in (("Old", "Old"), ("", "Firefox 128 on Linux")):
            here.post(url, {"name": name})
            assert here.get(SESSIONS).context["live"][0].title == shown

    def test_has_sixty_characters(self, here):
        response = here.post(reverse("session_name", args=[row_of(FIREFOX).pk]), {"name": "x" * 61})
        assert "name" in response.context["form"].errors


@pytest.mark.parametrize("view", ["session_end", "sessions_end_others", "sessions_end_all"])
def test_only_a_post_ends_anything(here, there, view):
    url = reverse(view, args=[row_of(CHROME).pk] if view == "session_end" else [])
    assert [getattr(here, method)(url).status_code for method in ("get", "head", "options")] == [200, 200, 405]
    assert RefreshToken.objects.live().count() == 2


def test_a_guarded_page_has_no_lag(here, bob):
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert here.get(SESSIONS).status_code == 302

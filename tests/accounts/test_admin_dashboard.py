"""The front page of the admin: a week in figures, for whoever may see them, each leading to what it counts."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts import charts
from accounts.admin import dashboard
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind
NAMES = ["Sign-ins", "Failed sign-ins", "Copied sessions"]


def happen(kind, ago=0, times=1):
    """An event, so many days ago by the calendar, at noon; today: just now."""
    at = midnight(ago) + timedelta(hours=12) if ago else timezone.now()
    return [SecurityEvent.objects.create(kind=kind, created_at=at) for _ in range(times)]


def midnight(ago=0):
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=ago)


def counts(person):
    figures = {str(figure.source.name): figure for figure in dashboard.for_user(person).figures}
    return {name: [day.count for day in figures[name].days] for name in NAMES if name in figures}


class TestWeek:
    def test_counts_seven_days_the_last_of_them_today_each_from_midnight_on(self, alice):
        moment = timedelta(microseconds=1)
        for at in (midnight(6) - moment, midnight(6), midnight(2) - moment, midnight(2)):
            SecurityEvent.objects.create(kind=Kind.SIGNED_IN, created_at=at)
        for kind in (Kind.SIGN_IN_FAILED, Kind.REUSE_FOUND, Kind.SIGNED_OUT, Kind.COPY_TRIED):
            happen(kind, ago=1, times=2)
            happen(kind)
        assert list(counts(alice).values()) == [[1, 0, 0, 1, 1, 0, 0], *[[0, 0, 0, 0, 0, 2, 1]] * 2]

    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway"])
    def test_days_are_those_of_the_sites_time_zone(self, alice, zone):
        with timezone.override(zone):
            SecurityEvent.objects.create(kind=Kind.SIGNED_IN, created_at=midnight(1))
            assert counts(alice)["Sign-ins"] == [0, 0, 0, 0, 0, 1, 0]

    @pytest.mark.parametrize(("codename", "names", "queries"), [("view_securityevent", NAMES, 1), ("view_user", [], 0)])
    def test_shows_and_counts_what_one_may_see(self, carol, codename, names, queries, django_assert_num_queries):
        carol.user_permissions.set(Permission.objects.filter(codename=codename))
        person = User.objects.get(pk=carol.pk)
        person.get_all_permissions()
        with django_assert_num_queries(queries):
            assert list(counts(person)) == names


class TestBars:
    def test_share_the_width_and_the_highest_has_all_the_height(self):
        first, second = charts.bars([10, 5])
        assert (first.x, first.width, first.middle) == ("7.50%", "35.00%", "25.00%")
        assert (first.y, first.height) == ("0.00%", "100.00%")
        assert (second.x, second.y, second.height) == ("57.50%", "50.00%", "50.00%")

    def test_one_is_seen_beside_a_thousand_and_is_no_mountain_alone(self):
        assert [bar.height for bar in charts.bars([1, 1000, 0])] == ["3.00%", "100.00%", "0.00%"]
        assert [bar.height for bar in charts.bars([1])] == ["25.00%"]
        assert charts.bars([]) == []


class TestFrontPage:
    def test_each_number_leads_to_a_list_of_what_it_counts(self, admin):
        happen(Kind.SIGNED_IN, ago=6, times=2)
        happen(Kind.SIGN_IN_FAILED, ago=1, times=3)
        happen(Kind.SIGN_IN_FAILED, ago=8)
        figures = admin.get("/admin/").context["week"].figures
        assert [figure.total for figure in figures] == ["3", "3", "0"]
        for figure in figures:
            for url, number in [(figure.url, figure.total), *((day.url, day.number) for day in figure.days)]:
                response = admin.get(url)
                assert response.status_code == 200, url
                assert str(response.context["cl"].queryset.count()) == number, url

    def test_is_read_as_a_table_and_each_plot_is_an_image_with_a_name_and_a_text(self, admin):
        happen(Kind.REUSE_FOUND, ago=1, times=2)
        page = admin.get("/admin/").content.decode()
        table = page.partition('<caption id="numbers">')[2]
        yesterday = timezone.localdate() - timedelta(days=1)
        row = re.search(rf'<th scope="row">[^<]*{yesterday:%-d %B}</th>(.*?)</tr>', table, flags=re.S)[1]
        cells = [re.sub("<[^>]+>", "", cell).strip() for cell in re.findall("<td>(.*?)</td>", row, flags=re.S)]
        assert cells == ["0", "0", "2"]
        names = re.findall(r'aria-labelledby="(chart-[^"]+)"', page)
        assert page.count('class="chart"') == page.count('role="img"') == len(names) == len(NAMES)
        assert all(page.count(f'id="{name}"') == 1 for both in names for name in both.split())

    def test_is_the_plain_one_without_the_permission_and_leads_back_to_the_site(self, staff):
        page = staff("view_user").get("/admin/").content.decode()
        assert 'class="chart"' not in page
        assert "/admin/accounts/user/" in page
        for url in ("/", "/accounts/profile/", "/accounts/sessions/"):
            assert f'<a href="{url}">' in page


def test_lengths_are_not_written_in_the_readers_language_and_numbers_are():
    figure = dashboard.Figure(
        dashboard.SOURCES[0], [dashboard.Day(date(2026, 11, 16 + ago), 1000 * ago, "/") for ago in range(7)]
    )
    with translation.override("de"):
        page = render_to_string("admin/_dashboard.html", {"week": dashboard.Week([figure])})
    assert not re.search(r'(x|y|width|height)="[^"]*,', page)
    assert 'width="10.00%"' in page
    assert "<strong>6.000</strong>" in page
    assert "Mittwoch" in page


@pytest.mark.parametrize("sunday", [date(2026, 3, 29), date(2026, 10, 25)])  # of 23 and of 25 hours
def test_a_day_of_another_length_is_a_day(db, sunday):
    zone = ZoneInfo("Europe/Berlin")
    begin, end = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (sunday, sunday + timedelta(days=1)))
    with timezone.override(zone):
        for at in (begin, end - timedelta(microseconds=1), end):
            SecurityEvent.objects.create(kind=Kind.SIGNED_IN, created_at=at)
        assert dashboard._counts([sunday])["signed_in", sunday] == 2

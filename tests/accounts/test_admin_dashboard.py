"""The front page of the admin: a week in figures, for whoever may see them, each leading to what it counts."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.template.loader import render_to_string
from django.utils import timezone, translation

from accounts import charts
from accounts.admin import dashboard
from accounts.models import SecurityEvent, User

Kind = SecurityEvent.Kind
NAMES = ["Sign-ins", "Refusals", "Reuse"]


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
    def test_counts_seven_days_the_last_of_them_today(self, alice):
        for kind in (Kind.SIGNED_IN, Kind.SIGN_IN_FAILED, Kind.REUSE_FOUND, Kind.SIGNED_OUT, Kind.COPY_TRIED):
            happen(kind, ago=6, times=2)
            happen(kind, ago=1)
            happen(kind)
        assert counts(alice) == {name: [2, 0, 0, 0, 0, 1, 1] for name in NAMES}

    def test_a_day_begins_at_midnight_and_the_week_six_days_before(self, alice):
        moment = timedelta(microseconds=1)
        for at in (midnight(6) - moment, midnight(6), midnight(2) - moment, midnight(2)):
            SecurityEvent.objects.create(kind=Kind.SIGNED_IN, created_at=at)
        assert counts(alice)["Sign-ins"] == [1, 0, 0, 1, 1, 0, 0]

    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway"])
    def test_days_are_those_of_the_sites_time_zone(self, alice, zone):
        with timezone.override(zone):
            SecurityEvent.objects.create(kind=Kind.SIGNED_IN, created_at=midnight(1))
            assert counts(alice)["Sign-ins"] == [0, 0, 0, 0, 0, 1, 0]

    def test_costs_no_more_queries_however_much_happened(self, alice, django_assert_max_num_queries):
        happen(Kind.SIGNED_IN, times=5)
        with django_assert_max_num_queries(2):
            dashboard.for_user(alice)

    @pytest.mark.parametrize(("codename", "names", "queries"), [("view_securityevent", NAMES, 1), ("view_user", [], 0)])
    def test_shows_and_counts_what_one_may_see(self, carol, codename, names, queries, django_assert_num_queries):
        carol.user_permissions.set(Permission.objects.filter(codename=codename))
        person = User.objects.get(pk=carol.pk)
        person.get_all_permissions()
        with django_assert_num_queries(queries):
            assert list(counts(person)) == names

    def test_is_empty_for_a_visitor(self):
        assert dashboard.for_user(AnonymousUser()).rows == []


class TestBars:
    def test_share_the_width_and_the_highest_has_all_the_height(self):
        first, second = charts.bars([10, 5])
        assert (first.x, first.width, first.middle) == ("7.50%", "35.00%", "25.00%")
        assert (first.y, first.height) == ("0.00%", "100.00%")
        assert (second.x, second.y, second.height) == ("57.50%", "50.00%", "50.00%")

    def test_one_is_seen_beside_a_thousand_and_is_no_mountain_alone(self):
        assert [bar.height for bar in charts.bars([1, 1000, 0])] == ["3.00%", "100.00%", "0.00%"]
        assert [bar.height for bar in charts.bars([1])] == ["25.00%"]

    def test_of_nothing_are_none(self):
        assert charts.bars([]) == []


class TestFrontPage:
    def page_of(self, client):
        response = client.get("/admin/")
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    def test_shows_today_and_the_days_before_and_leads_back_to_the_site(self, admin):
        happen(Kind.SIGN_IN_FAILED, ago=2, times=3)
        page = self.page_of(admin)
        today = dict(re.findall(r"<h3>([^<]+)</h3> <p class=\"today\"><a [^>]+><strong>([^<]+)<", page))
        assert {name: today[name] for name in NAMES} == {"Sign-ins": "1", "Refusals": "0", "Reuse": "0"}
        assert "3 in seven days" in page
        for url in ("/", "/accounts/profile/", "/accounts/sessions/"):
            assert f'<a href="{url}">' in page

    def test_each_number_leads_to_a_list_of_what_it_counts(self, admin):
        happen(Kind.SIGNED_IN, ago=6, times=2)
        happen(Kind.SIGN_IN_FAILED, ago=1, times=3)
        happen(Kind.SIGN_IN_FAILED, ago=8)
        for figure in admin.get("/admin/").context["week"].figures:
            for url, number in [(figure.url, figure.total), *((day.url, day.number) for day in figure.days)]:
                response = admin.get(url)
                assert response.status_code == 200, url
                assert str(response.context["cl"].queryset.count()) == number, url

    def test_is_read_as_a_table(self, admin):
        happen(Kind.REUSE_FOUND, ago=1, times=2)
        table = self.page_of(admin).partition('<caption id="numbers">')[2]
        heads = re.findall(r'<th scope="col">([^<]+)</th>', table)
        yesterday = timezone.localdate() - timedelta(days=1)
        row = re.search(rf'<th scope="row">{yesterday:%A}, {yesterday:%-d %B}</th>(.*?)</tr>', table)[1]
        cells = [re.sub("<[^>]+>", "", cell) for cell in re.findall("<td>(.*?)</td>", row)]
        shown = dict(zip(heads[1:], cells, strict=False))
        assert {name: shown[name] for name in NAMES} == {"Sign-ins": "0", "Refusals": "0", "Reuse": "2"}

    def test_each_plot_is_an_image_with_a_name_and_a_text(self, admin):
        page = self.page_of(admin)
        names = re.findall(r'aria-labelledby="(chart-[^"]+)"', page)
        assert page.count('class="chart"') == page.count('role="img"') == len(names) >= len(NAMES)
        assert all(page.count(f'id="{name}"') == 1 for both in names for name in both.split())

    def test_is_the_plain_one_without_the_permission(self, staff):
        page = self.page_of(staff("view_user"))
        assert "The last seven days" not in page
        assert "Users" in page


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


@pytest.mark.parametrize("hours", [23, 25])
def test_a_day_of_another_length_is_a_day(db, hours):
    """Clocks go back and forth by an hour, once a year each."""
    sunday = {23: date(2026, 3, 29), 25: date(2026, 10, 25)}[hours]
    zone = ZoneInfo("Europe/Berlin")
    begin, end = (datetime(day.year, day.month, day.day, tzinfo=zone) for day in (sunday, sunday + timedelta(days=1)))
    assert end.astimezone(ZoneInfo("UTC")) - begin.astimezone(ZoneInfo("UTC")) == timedelta(hours=hours)
    with timezone.override(zone):
        for at in (begin, end - timedelta(microseconds=1), end):
            SecurityEvent.objects.create(kind=Kind.SIGNED_IN, created_at=at)
        assert dashboard._counts([sunday])["signed_in", sunday] == 2

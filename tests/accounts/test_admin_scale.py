"""No page of the admin asks more the more there is. `python -m benchmarks.admin` says what a million rows cost."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.admin import lists
from accounts.models import SecurityEvent, User
from benchmarks import admin as measured
from tests.accounts.conftest import FIREFOX
from tokens.models import RefreshToken

USERS, SESSIONS, EVENTS = "/admin/accounts/user/", "/admin/tokens/refreshtoken/", "/admin/accounts/securityevent/"
MOST = 20

PAGES = {
    "/admin/": 4,
    USERS: 5,
    f"{USERS}?q=person7": 5,
    f"{USERS}?o=-7": 5,
    f"{USERS}?is_active__exact=1": 5,
    f"{USERS}{{user}}/change/": 12,
    f"{USERS}{{user}}/delete/": 12,
    f"{USERS}{{user}}/history/": 6,
    SESSIONS: 3,
    f"{SESSIONS}?p=2": 3,
    f"{SESSIONS}?q=person7": 4,
    f"{SESSIONS}?state=ended&age=older&browser=firefox&reason__exact=ended": 3,
    f"{SESSIONS}{{session}}/change/": 3,
    EVENTS: 3,
    f"{EVENTS}?q=person7&doer=self&kind__exact=signed_out&since=2020-01-01": 4,
    f"{EVENTS}{{event}}/change/": 4,
    "/admin/accounts/tally/": 6,
    "/admin/accounts/outgoingmail/": 5,
    "/admin/auth/group/": 4,
}


def fill(number):
    """So many people more, with a session and an event each."""
    now = timezone.now()
    first = User.objects.count()
    names = [f"person{first + place}" for place in range(number)]
    people = User.objects.bulk_create(User(username=name, email=f"{name}@example.org") for name in names)
    about = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=1), "user_agent": FIREFOX}
    RefreshToken.objects.bulk_create(RefreshToken(user=person, jti=uuid4(), **about) for person in people)
    SecurityEvent.objects.bulk_create(SecurityEvent(user=person, kind="signed_out") for person in people)
    about = {"user": people[0]}
    rows = RefreshToken.objects.get(**about), SecurityEvent.objects.get(**about)
    return {"user": people[0].pk, "session": rows[0].pk, "event": rows[1].pk}


@pytest.fixture
def admin(client, alice, sign_in):
    sign_in(client, alice)
    client.get("/admin/")  # the list of revocations is read once
    ContentType.objects.get_for_models(*apps.get_models())  # and so are these
    return client


def costs(client, **keys):
    found = {}
    for page in PAGES:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(page.format(**keys)).status_code == 200, page
        found[page] = len(queries)
    return found


def test_no_page_asks_more_the_more_there_is(admin):
    few = costs(admin, **fill(60))
    many = costs(admin, **fill(240))

    assert many == few
    assert {page: number for page, number in many.items() if number > PAGES[page]} == {}
    assert max(PAGES.values()) <= MOST


@pytest.mark.once
def test_the_pages_that_are_measured_are_there(admin):
    keys = fill(1)
    places = {"person": keys["user"], "session": keys["session"], "event": keys["event"], "day": timezone.localdate()}
    for name, path in measured.PAGES:
        path = path.replace("?p=", "?e=")  # so few people have no second page
        assert admin.get(path.format(**places)).status_code == 200, name


class TestFirstRows:
    def test_are_all_that_one_can_leaf_through(self, admin, monkeypatch):
        monkeypatch.setattr(lists, "LISTED", 250)
        fill(249)
        page = admin.get(SESSIONS)
        assert (page.context["cl"].result_count, page.context["cl"].paginator.num_pages) == (250, 5)
        assert "The first" not in page.content.decode()

        fill(50)
        page = admin.get(SESSIONS)
        assert (page.context["cl"].result_count, page.context["cl"].paginator.num_pages) == (250, 5)
        assert "The first 250 sessions. The search and the filters find the others." in page.content.decode()

    def test_are_counted_without_reading_the_others(self, admin, monkeypatch):
        fill(60)
        with CaptureQueriesContext(connection) as queries:
            admin.get(SESSIONS)

        [counting] = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert f"LIMIT {lists.LISTED + 1}" in counting
        assert "ORDER BY" not in counting

    @pytest.mark.parametrize("query", ["", "q=person1", "q=nobody", "browser=other"])
    def test_are_read_once_if_they_are_all(self, admin, query):
        fill(30)
        with CaptureQueriesContext(connection) as queries:
            page = admin.get(f"{SESSIONS}?{query}")

        assert sum('ORDER BY "tokens_refreshtoken"."created_at"' in each["sql"] for each in queries) <= 1
        assert not any("COUNT(" in each["sql"] for each in queries)
        assert page.context["cl"].result_count == len(page.context["cl"].result_list)

    def test_are_shown_once_each(self, admin):
        fill(119)  # and Alice's own
        found = [admin.get(f"{USERS}?p={page}").context["cl"].result_list for page in (1, 2, 3)]

        assert [len(people) for people in found] == [50, 50, 20]
        assert len({person.pk for people in found for person in people}) == 120


@pytest.mark.parametrize("url", [SESSIONS, EVENTS])
def test_lists_are_sorted_by_what_an_index_knows_and_by_nothing_else(admin, url):
    columns = admin.get(url).context["cl"].list_display
    for place, name in enumerate(columns):
        with CaptureQueriesContext(connection) as queries:
            admin.get(f"{url}?o={place}")
        [*_, order] = [query["sql"].rpartition("ORDER BY ")[2] for query in queries if "ORDER BY" in query["sql"]]
        assert order.split('"')[3] in ("created_at", "at"), name


class TestSessions:
    @pytest.fixture
    def rows_of(self, alice):
        def rows_of(**about):
            now = timezone.now()
            moments = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=1)}
            return RefreshToken.objects.create(**{"user": alice, "jti": uuid4(), **moments, **about})

        return rows_of

    def listed(self, client, **query):
        response = client.get(SESSIONS, query)
        assert response.status_code == 200
        return {row.pk for row in response.context["cl"].result_list}

    @pytest.mark.parametrize(
        ("age", "which"),
        [("hour", [0]), ("day", [0, 1]), ("week", [0, 1, 2]), ("month", [0, 1, 2, 3]), ("older", [4])],
    )
    def test_are_found_by_their_age(self, admin, rows_of, age, which):
        RefreshToken.objects.filter(user__username="alice").update(created_at=timezone.now() - timedelta(days=90))
        hours = [0, 2, 48, 24 * 20, 24 * 31]
        made = [rows_of(created_at=timezone.now() - timedelta(hours=ago)).pk for ago in hours]

        assert self.listed(admin, age=age) & set(made) == {made[place] for place in which}

    def test_are_found_by_their_browser(self, admin, rows_of):
        fox, program = rows_of(user_agent=FIREFOX).pk, rows_of(user_agent="curl/8").pk

        assert self.listed(admin, browser="firefox") == {fox}
        assert program in self.listed(admin, browser="other") and fox not in self.listed(admin, browser="other")

    @pytest.mark.parametrize("what", ["name", "address", "id"])
    def test_are_found_by_a_whole_name_an_address_or_their_id(self, admin, rows_of, bob, what):
        row = rows_of(ip_address="203.0.113.7", user=bob)
        text = {"name": "Bob@example.org", "address": "203.0.113.7", "id": str(row.pk).upper()}[what]

        assert self.listed(admin, q=text) == {row.pk}
        assert self.listed(admin, q=text[:-1]) == set()

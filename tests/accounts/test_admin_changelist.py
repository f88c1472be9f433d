"""The lists of the admin: what they tell of people and sessions, how these are found, and what is done from them."""

import itertools
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse
from django.utils import timezone

from accounts.admin import changelist
from accounts.models import SecurityEvent, User
from lab.benchmarks import admin as measured
from tests.accounts.conftest import CHROME, FIREFOX
from tests.accounts.reauthenticating import answer, expire_reauthentication
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

Reason = RefreshToken.Reason

USERS, SESSIONS, EVENTS = "/admin/accounts/user/", "/admin/tokens/refreshtoken/", "/admin/accounts/securityevent/"


def page_of(client, url, **query):
    response = client.get(url, query)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def row_of(user):
    return RefreshToken.objects.get(user=user)


def own_page(row):
    return reverse("admin:tokens_refreshtoken_change", args=[row.pk])


class TestEndThisSession:
    """The button on the page of one session."""

    BUTTON = re.compile(r'<form method="post" action="([^"]+)">((?:(?!</form>).)*)<button class="end">')

    def test_ends_it_and_no_other_is_written_down_and_asks_who_it_is_first(self, admin, alice, bob, there):
        expire_reauthentication()
        form = self.BUTTON.search(page_of(admin, own_page(row_of(bob))))
        question = admin.post(form[1], dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form[2])))
        assert row_of(bob).is_live
        question = answer(admin, question)
        assert row_of(bob).is_live
        fields = {**dict(question.context["fields"]), "confirmed": "yes"}
        assert admin.post(form[1], fields).headers["Location"] == own_page(row_of(bob))
        assert row_of(bob).reason == Reason.ADMIN
        assert row_of(alice).is_live
        event = SecurityEvent.objects.get(kind=SecurityEvent.Kind.SESSION_ENDED)
        assert (event.user, event.actor, event.session_id) == (bob, alice, row_of(bob).pk)
        assert not self.BUTTON.search(page_of(admin, own_page(row_of(bob))))

    def test_is_not_there_for_whoever_may_only_look(self, staff, bob, there):
        client = staff("view_refreshtoken", "view_user")
        assert not self.BUTTON.search(page_of(client, own_page(row_of(bob))))
        assert "sessions" in client.get(USERS).context["cl"].list_display
        assert "sessions" not in staff("view_user").get(USERS).context["cl"].list_display


class TestOddQueries:
    OWN = ("p", "o", "q", "all", "e", "_facets", "_popup", "_to_field")  # Django's, on each list
    ODD = ("\0", "-1", "x", "", "9" * 40, "(", "9999-12-31", "0001-01-01", "x,\0")
    LOOKUPS = ("", "__regex", "__startswith", "__year", "__range", "__isnull", "__id__exact", "__password__startswith")

    @pytest.fixture(params=site._registry, ids=lambda model: model._meta.model_name)
    def lists(self, request, admin):
        """The URL of a list, and the parameters that it offers."""
        model_admin, meta = site._registry[request.param], request.param._meta
        Group.objects.bulk_create([Group(name="friends"), Group(name="family")])  # or users have no filter for them
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
        filters = admin.get(url).context["cl"].filter_specs
        offered = {name for each in filters for name in each.expected_parameters()}
        return url, offered | set(getattr(model_admin, "linked_lookups", ()))

    @pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
    @pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
    def test_are_no_error_of_ours(self, admin, lists, settings, zone):
        """The answer is a page, or a refusal; so each test runs on PostgreSQL as well, which takes no NUL."""
        url, offered = lists
        settings.TIME_ZONE = zone
        for name, value in itertools.product((*self.OWN, *sorted(offered)), self.ODD):
            assert admin.get(url, {name: value}).status_code in (200, 302, 400), (name, value)

    def test_ask_for_nothing_that_the_page_does_not_offer(self, admin, lists):
        url, offered = lists
        model = resolve(url).func.model_admin.model
        asked = {f"{field.name}{lookup}" for field in model._meta.get_fields() for lookup in self.LOOKUPS}
        assert len(asked) > len(offered)
        for name in asked - offered:
            assert admin.get(url, {name: "1"}).status_code in (302, 400), name


class TestSelection:
    @pytest.mark.parametrize("key", ["x", "\x00", "9" * 40])
    @pytest.mark.parametrize(
        ("url", "action"),
        [(USERS, "end_sessions"), (SESSIONS, "end_sessions"), ("/admin/auth/group/", "delete_selected")],
    )
    def test_that_cannot_be_read_is_told_so_and_nothing_is_done(self, admin, bob, there, url, action, key):
        good = {USERS: bob, SESSIONS: row_of(bob)}.get(url) or Group.objects.create(name="friends")
        fields = {"action": action, "_selected_action": [key, str(good.pk)], "post": "yes"}
        response = admin.post(url, fields)
        assert response.status_code == 302
        assert [message.level_tag for message in get_messages(response.wsgi_request)] == ["error"]
        assert RefreshToken.objects.live().count() == 2
        assert Group.objects.exists() or url != "/admin/auth/group/"

    def test_of_what_is_gone_meanwhile_does_nothing(self, admin, there):
        gone = User.objects.create_user("gone", "gone@example.org")
        for url, key in ((USERS, str(gone.pk)), (SESSIONS, str(uuid4()))):
            User.objects.filter(username="gone").delete()
            fields = {"action": "end_sessions", "_selected_action": key}
            assert admin.post(url, fields, follow=True).status_code == 200
        assert RefreshToken.objects.live().count() == 2


class TestPeople:
    def cells(self, client, name):
        """When somebody was last seen, and how many sessions they have, as the list says it."""
        [person] = [row for row in client.get(USERS).context["cl"].result_list if row.username == name]
        row = re.search(rf">{name}</a></th>(.*?)</tr>", page_of(client, USERS))[1]
        cells = dict(re.findall(r'<td class="field-(\w+)[^"]*">(.*?)</td>', row))
        return person.last_used_at, re.sub("<[^>]+>", "", cells["sessions"])

    def test_show_when_they_were_last_seen_and_how_many_sessions_they_have(self, admin, bob, using, sign_in):
        for user_agent in (CHROME, FIREFOX, "curl/8"):
            sign_in(using(user_agent), bob)
        ended, seen, idle = RefreshToken.objects.filter(user=bob).order_by("created_at")
        now = timezone.now()
        ended.revoke(Reason.ENDED)
        for row, ago in ((ended, 5), (seen, 2), (idle, 9)):
            RefreshToken.objects.filter(pk=row.pk).update(last_used_at=now - timedelta(hours=ago))
        assert self.cells(admin, "bob") == (now - timedelta(hours=2), "2")
        RefreshToken.objects.filter(user=bob).delete()
        bob.refresh_from_db()
        assert self.cells(admin, "bob") == (bob.last_login, "0")

    def test_the_number_leads_to_these_sessions(self, admin, bob, there, using, sign_in):
        sign_in(using(FIREFOX), bob)
        RefreshToken.objects.get(user_agent=FIREFOX).revoke(Reason.ENDED)
        url = re.search(rf'href="({SESSIONS}\?user__id__exact={bob.pk}[^"]*)"', page_of(admin, USERS))[1]
        assert [row.user_agent for row in admin.get(url.replace("&amp;", "&")).context["cl"].queryset] == [CHROME]

    def test_cost_no_query_each(self, admin, there, using, sign_in, django_assert_num_queries):
        admin.get(USERS)  # the list of revocations is read once
        for number in range(2):
            with django_assert_num_queries(4):  # this row with its person, the people, their sessions, the groups
                admin.get(USERS)
            for letter in "abcde":
                name = f"{letter}{number}"
                sign_in(using(FIREFOX), User.objects.create_user(name, f"{name}@example.org", PASSWORD))

    def test_are_given_groups_and_permissions_by_boxes(self, admin, bob):
        group = Group.objects.create(name="friends")
        page = admin.get(reverse("admin:accounts_user_change", args=[bob.pk])).content.decode()
        assert f'<input type="checkbox" name="groups" value="{group.pk}"' in page


PAGES = {  # and how many queries each costs at most, whatever there is
    "/admin/": 4,
    USERS: 5,
    f"{USERS}?q=person7": 5,
    f"{USERS}?o=-7": 5,
    f"{USERS}{{user}}/change/": 12,
    f"{USERS}{{user}}/delete/": 15,
    f"{USERS}{{user}}/history/": 6,
    SESSIONS: 3,
    f"{SESSIONS}?p=2": 3,
    f"{SESSIONS}?q=person7": 4,
    f"{SESSIONS}?state=ended&age=older&browser=firefox&reason=ended": 3,
    f"{SESSIONS}{{session}}/change/": 3,
    EVENTS: 3,
    f"{EVENTS}?q=person7&actor=self&kind__exact=signed_out&since=2020-01-01": 4,
    f"{EVENTS}{{event}}/change/": 4,
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


def costs(client, **keys):
    found = {}
    for page in PAGES:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(page.format(**keys)).status_code == 200, page
        found[page] = len(queries)
    return found


def test_no_page_asks_more_the_more_there_is(admin):
    admin.get("/admin/")  # the list of revocations is read once
    ContentType.objects.get_for_models(*apps.get_models())  # and so are these
    few = costs(admin, **fill(60))
    many = costs(admin, **fill(120))
    assert many == few
    assert {page: number for page, number in many.items() if number > PAGES[page]} == {}


@pytest.mark.once
def test_the_pages_that_are_measured_are_there(admin):
    keys = fill(1)
    places = {"person": keys["user"], "session": keys["session"], "event": keys["event"], "day": timezone.localdate()}
    for name, path in measured.PAGES:
        path = path.replace("?p=", "?e=")  # so few people have no second page
        assert admin.get(path.format(**places)).status_code == 200, name


class TestFirstRows:
    def test_are_all_that_one_can_leaf_through_and_counted_without_reading_the_others(self, admin, monkeypatch):
        monkeypatch.setattr(changelist, "MAX_LISTED", 250)
        fill(249)
        for _ in range(2):
            with CaptureQueriesContext(connection) as queries:
                page = admin.get(SESSIONS)
            assert (page.context["cl"].result_count, page.context["cl"].paginator.num_pages) == (250, 5)
            [counting] = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
            assert "LIMIT 251" in counting
            assert "ORDER BY" not in counting
            fill(50)

    @pytest.mark.parametrize("query", ["", "q=person1"])
    def test_are_read_once_if_they_are_all(self, admin, query):
        fill(30)
        order = "ORDER BY {}.{}".format(*map(connection.ops.quote_name, ("tokens_refreshtoken", "created_at")))
        with CaptureQueriesContext(connection) as queries:
            page = admin.get(f"{SESSIONS}?{query}")
        assert sum(order in each["sql"] for each in queries) <= 1
        assert not any("COUNT(" in each["sql"] for each in queries)
        assert page.context["cl"].result_count == len(page.context["cl"].result_list)


@pytest.mark.parametrize("url", [SESSIONS, EVENTS])
def test_lists_are_sorted_by_what_an_index_knows_and_by_nothing_else(admin, url):
    columns = admin.get(url).context["cl"].list_display
    for place, name in enumerate(columns):
        with CaptureQueriesContext(connection) as queries:
            admin.get(f"{url}?o={place}")
        [*_, order] = [query["sql"].rpartition("ORDER BY ")[2] for query in queries if "ORDER BY" in query["sql"]]
        assert order.split(connection.ops.quote_name("x")[0])[3] == "created_at", name


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

    def test_are_found_by_their_age(self, admin, rows_of):
        RefreshToken.objects.filter(user__username="alice").update(created_at=timezone.now() - timedelta(days=90))
        hours = [0, 2, 48, 24 * 20, 24 * 31]
        made = [rows_of(created_at=timezone.now() - timedelta(hours=ago)).pk for ago in hours]
        for number, age in enumerate(("hour", "day", "week", "month"), start=1):
            assert self.listed(admin, age=age) & set(made) == set(made[:number]), age
        assert self.listed(admin, age="older") & set(made) == {made[4]}

    def test_are_found_by_their_browser_and_whether_they_are_live(self, admin, alice, rows_of):
        mine, fox = row_of(alice).pk, rows_of(user_agent=FIREFOX, browser="firefox")
        ended = rows_of(user_agent=CHROME, browser="chrome")
        ended.revoke(Reason.ENDED)
        assert self.listed(admin, browser="firefox") == {fox.pk}
        assert self.listed(admin, browser="other") == {mine}
        assert self.listed(admin, state="live") == {mine, fox.pk}
        assert self.listed(admin, state="ended") == {ended.pk}
        assert self.listed(admin) == {mine, fox.pk, ended.pk}
        assert "Chrome 131 on Windows" in page_of(admin, SESSIONS)
        assert CHROME not in page_of(admin, SESSIONS)
        assert CHROME in page_of(admin, own_page(ended))

    def test_are_found_by_a_whole_name_an_address_or_their_id(self, admin, rows_of, bob):
        row = rows_of(ip_address="203.0.113.7", user=bob)
        for text in ("Bob@example.org", "203.0.113.7", str(row.pk).upper()):
            assert self.listed(admin, q=text) == {row.pk}
            assert self.listed(admin, q=text[:-1]) == set()

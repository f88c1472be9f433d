"""Security events in the admin: found by day, by doer and by whole names, and handed out as a file."""

import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from accounts.admin import sheet
from accounts.models import SecurityEvent, Tally, User
from tests.conftest import PASSWORD

Kind = SecurityEvent.Kind
EVENTS = "/admin/accounts/securityevent/"


def happen(kind=Kind.SIGNED_OUT, **about):
    return SecurityEvent.objects.create(kind=kind, **about)


def listed(client, **query):
    response = client.get(EVENTS, query)
    assert response.status_code == 200
    return set(response.context["cl"].result_list)


class TestFilters:
    def test_a_day_is_whole_and_both_ends_are_in(self, admin):
        midnight = datetime(2026, 3, 5, tzinfo=UTC)
        moment = timedelta(microseconds=1)
        _, first, last, _ = [
            happen(at=at)
            for at in (midnight - moment, midnight, midnight + timedelta(days=2) - moment, midnight + timedelta(days=2))
        ]

        assert listed(admin, since="2026-03-05", until="2026-03-06") == {first, last}
        assert first in listed(admin, until="2026-03-05")
        assert last in listed(admin, since="2026-03-06")

    @pytest.mark.parametrize("day", ["x", "2026-02-30", "0001-01-01", "9999-12-31", "\u0660" * 4 + "-01-01"])
    def test_what_is_no_day_is_told_so(self, admin, day):
        for name in ("since", "until"):
            response = admin.get(f"{EVENTS}?{name}={quote(day)}")
            assert response.headers["Location"] == f"{EVENTS}?e=1"

    def test_the_fields_for_days_keep_what_was_chosen(self, admin):
        page = admin.get(EVENTS, {"kind__exact": "signed_in", "q": "bob", "since": "2026-03-05"}).content.decode()

        assert '<input type="date" id="since" name="since" value="2026-03-05">' in page
        assert '<input type="hidden" name="kind__exact" value="signed_in">' in page
        assert '<input type="hidden" name="q" value="bob">' in page

    def test_by_who_did_it(self, admin, alice, bob):
        hers, his = happen(user=bob, by=alice), happen(user=bob)

        assert listed(admin, doer="admin") == {hers}
        assert his in listed(admin, doer="self") and hers not in listed(admin, doer="self")


class TestSearch:
    @pytest.mark.parametrize("text", ["bob", "BOB", " bob@example.org ", "203.0.113.7", "2001:DB8::0001"])
    def test_finds_whole_names_and_addresses(self, admin, bob, text):
        address = "203.0.113.7" if "." in text else "2001:db8::1"
        theirs = happen(user=bob, address=address)

        assert listed(admin, q=text) == {theirs}

    def test_finds_what_happened_in_a_session(self, admin):
        session = uuid4()
        event = happen(session=session)

        assert listed(admin, q=str(session)) == {event}

    @pytest.mark.parametrize("text", ["bo", "nobody", "fe80::1%eth0", "1.2.3", "%", "' OR 1=1", "\u0131"])
    def test_finds_nothing_else(self, admin, bob, text):
        happen(user=bob, address="203.0.113.7")

        assert listed(admin, q=text) == set()


class TestDownload:
    def download(self, client, query=""):
        response = client.post(f"{EVENTS}csv/{query}")
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        text = b"".join(response.streaming_content).decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def test_has_what_the_list_has(self, admin, alice, bob):
        happen(Kind.ALL_ENDED, user=bob, by=alice, address="203.0.113.7")

        [first] = self.download(admin, "?kind__exact=all_ended")

        assert (first["kind"], first["username"], first["by_username"]) == ("all_ended", "bob", "alice")
        assert (first["what"], first["address"]) == ("All sessions were ended", "203.0.113.7")
        assert datetime.fromisoformat(first["at"]).tzinfo

    def test_obeys_the_filters_and_the_search(self, admin, bob):
        happen(Kind.NAME_CHANGED, user=bob)

        assert [row["username"] for row in self.download(admin, "?q=bob&kind__exact=name_changed")] == ["bob"]
        assert self.download(admin, "?q=bob&kind__exact=reuse_found") == []

    def test_goes_back_to_the_list_if_a_filter_cannot_be_read(self, admin):
        assert admin.post(f"{EVENTS}csv/?since=x").headers["Location"] == EVENTS

    @pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
    def test_holds_no_formula(self, admin, bob, begin):
        happen(Kind.NAME_CHANGED, user=bob, user_agent=f'{begin}cmd|" /C calc"!A0')

        [row] = self.download(admin, "?kind__exact=name_changed")

        assert row["user_agent"] == f'\'{begin}cmd|" /C calc"!A0'

    def test_is_read_as_it_is_sent_and_has_an_end(self, admin, bob, monkeypatch):
        monkeypatch.setattr(sheet, "MOST", 3)
        for _ in range(5):
            happen(Kind.NAME_CHANGED, user=bob)

        assert len(self.download(admin, "?kind__exact=name_changed")) == 3

    def test_is_written_down_with_who_did_it(self, admin, alice):
        self.download(admin)

        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.by) == ("history_exported", None, alice)

    def test_needs_a_post_and_its_own_permission(self, admin, client, using, sign_in):
        assert admin.get(f"{EVENTS}csv/").status_code == 405
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
        for codenames in (["view_securityevent"], ["export_securityevent"]):
            carol.user_permissions.set(Permission.objects.filter(codename__in=codenames))
            browser = using("")
            sign_in(browser, carol)
            assert browser.post(f"{EVENTS}csv/").status_code == 403
        carol.user_permissions.add(Permission.objects.get(codename="view_securityevent"))
        assert "csv/" in browser.get(EVENTS).content.decode()
        assert self.download(browser)

    def test_has_no_button_for_whoever_may_only_look(self, using, sign_in, db):
        carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
        carol.user_permissions.set(Permission.objects.filter(codename="view_securityevent"))
        browser = using("")
        sign_in(browser, carol)

        assert "csv/" not in browser.get(EVENTS).content.decode()


class TestTallies:
    def test_are_told_in_words(self, admin):
        Tally.objects.create(hour=timezone.now(), branch="dead", count=18)

        page = admin.get("/admin/accounts/tally/").content.decode()

        assert "a sign-in that is over was shown" in page
        assert ">dead<" not in page

    def test_have_words_for_every_branch_of_the_rule(self):
        from tokens.events import TokenEvent

        assert set(Tally.Branch.values) == {branch.value for branch in TokenEvent}

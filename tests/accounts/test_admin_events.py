"""Security events in the admin: found by day, by actor and by whole names, and handed out as a file."""

import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from accounts.admin import csv_export
from accounts.models import SecurityEvent

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
        midnight, moment = datetime(2026, 3, 5, tzinfo=UTC), timedelta(microseconds=1)
        end = midnight + timedelta(days=2)
        _, first, last, _ = [happen(created_at=at) for at in (midnight - moment, midnight, end - moment, end)]
        assert listed(admin, since="2026-03-05", until="2026-03-06") == {first, last}
        assert first in listed(admin, until="2026-03-05")
        assert last in listed(admin, since="2026-03-06")

    @pytest.mark.parametrize("day", ["x", "0001-01-01", "9999-12-31"])
    def test_what_is_no_day_is_told_so(self, admin, day):
        for name in ("since", "until"):
            assert admin.get(EVENTS, {name: day}).headers["Location"] == f"{EVENTS}?e=1"
        assert admin.post(f"{EVENTS}csv/?since={day}").headers["Location"] == EVENTS

    def test_the_fields_for_days_keep_what_was_chosen(self, admin):
        page = admin.get(EVENTS, {"kind__exact": "signed_in", "q": "bob", "since": "2026-03-05"}).content.decode()
        assert '<input type="date" id="since" name="since" value="2026-03-05">' in page
        assert '<input type="hidden" name="kind__exact" value="signed_in">' in page
        assert '<input type="hidden" name="q" value="bob">' in page

    def test_by_who_did_it(self, admin, alice, bob):
        hers, his = happen(user=bob, actor=alice), happen(user=bob)
        assert listed(admin, actor="admin") == {hers}
        assert his in listed(admin, actor="self") and hers not in listed(admin, actor="self")


class TestSearch:
    @pytest.mark.parametrize("text", ["BOB", " bob@example.org ", "203.0.113.7", "2001:DB8::0001", str(UUID(int=7))])
    def test_finds_whole_names_addresses_and_sessions(self, admin, bob, text):
        address = "203.0.113.7" if "." in text else "2001:db8::1"
        theirs = happen(user=bob, ip_address=address, session_id=UUID(int=7))
        assert listed(admin, q=text) == {theirs}

    def test_finds_nothing_else(self, admin, bob):
        happen(user=bob, ip_address="203.0.113.7")
        for text in ("bo", "fe80::1%eth0", "1.2.3", "%", "\u0131"):
            assert listed(admin, q=text) == set(), text


class TestDownload:
    def download(self, client, query=""):
        response = client.post(f"{EVENTS}csv/{query}")
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        text = b"".join(response.streaming_content).decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def test_has_what_the_list_has_and_is_written_down(self, admin, alice, bob):
        happen(Kind.ALL_ENDED, user=bob, actor=alice, ip_address="203.0.113.7")
        [first] = self.download(admin, "?q=bob&kind__exact=all_ended")
        assert (first["kind"], first["username"], first["actor_username"]) == ("all_ended", "bob", "alice")
        assert (first["what"], first["ip_address"]) == (Kind.ALL_ENDED.label, "203.0.113.7")
        assert datetime.fromisoformat(first["created_at"]).tzinfo
        event = SecurityEvent.objects.first()
        assert (event.kind, event.user, event.actor) == ("events_exported", None, alice)
        assert self.download(admin, "?q=bob&kind__exact=reuse_found") == []

    def test_holds_no_formula(self, admin, bob):
        formulas = [f'{begin}cmd|" /C calc"!A0' for begin in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"]
        within = ["Mozilla/5.0;=1+1", 'Mozilla/5.0;"=1+1', "Mozilla/5.0|@A1", "Mozilla/5.0 (X11; Linux x86_64) a-b"]
        for formula in (*formulas, *within):
            happen(Kind.USERNAME_CHANGED, user=bob, user_agent=formula)
        found = {row["user_agent"] for row in self.download(admin, "?kind__exact=username_changed")}
        safe = {"Mozilla/5.0;'=1+1", "Mozilla/5.0;\"'=1+1", "Mozilla/5.0|'@A1", "Mozilla/5.0 (X11; Linux x86_64) a-b"}
        assert found == {f"'{formula}" for formula in formulas} | safe

    def test_is_read_as_it_is_sent_and_has_an_end(self, admin, bob, monkeypatch):
        monkeypatch.setattr(csv_export, "MAX_EVENTS", 3)
        for _ in range(5):
            happen(Kind.USERNAME_CHANGED, user=bob)
        assert len(self.download(admin, "?kind__exact=username_changed")) == 3

    def test_needs_a_post_and_its_own_permission(self, admin, staff):
        assert admin.get(f"{EVENTS}csv/").status_code == 405
        for codename in ("view_securityevent", "export_securityevent"):
            browser = staff(codename)
            assert browser.post(f"{EVENTS}csv/").status_code == 403
            assert "csv/" not in browser.get(EVENTS).content.decode()
        browser = staff("view_securityevent", "export_securityevent")
        assert "csv/" in browser.get(EVENTS).content.decode()
        assert self.download(browser)

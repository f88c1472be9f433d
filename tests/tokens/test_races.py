"""Real connections that race for one row. What decides is the row count of one conditional UPDATE."""

import threading
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from tests.conftest import PASSWORD
from tests.tokens.clock import copy_of, elapse
from tests.tokens.racing import together
from tests.tokens.urls import WAITS
from tokens import signals
from tokens.core import rotation
from tokens.models import RefreshToken
from tokens.models.locks import locking

Reason = RefreshToken.Reason

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db(transaction=True)]

ROUNDS = 15
RACERS = 6


def about_of(row):
    """The values of `row` for another one."""
    return {name: getattr(row, name) for name in ("jti", "created_at", "last_used_at")}


def siblings(row):
    return [rotation.Refresh(row.generation + 1, rotation.new_jti(0)) for _ in range(RACERS)]


def winners(confirm, row):
    return sum(together([lambda s=sibling: confirm(str(row.pk), s) for sibling in siblings(row)]))


class TestConfirm:
    def test_one_sibling_of_many_wins(self, bob):
        for _ in range(ROUNDS):
            row = RefreshToken.objects.start(bob)
            assert winners(RefreshToken.objects.confirm, row) == 1
            row.refresh_from_db()
            assert row.generation == 2

    def test_a_revocation_beside_it_is_never_undone(self, bob):
        for _ in range(ROUNDS):
            row = RefreshToken.objects.start(bob)
            confirms = [
                lambda s=sibling, r=row: RefreshToken.objects.confirm(str(r.pk), s) for sibling in siblings(row)
            ]
            together([lambda r=row: r.revoke(Reason.ENDED), *confirms])
            row.refresh_from_db()
            assert row.reason == Reason.ENDED and not row.is_live


class TestReuse:
    def test_many_requests_with_a_stale_token_are_one_theft(self, bob, signed_in):
        for _ in range(3):
            browser = signed_in(bob)
            elapse(1000, browser)
            stale = [copy_of(browser) for _ in range(RACERS)]
            browser.get("/who/")
            elapse(200, browser, *stale)
            browser.get("/who/")
            found = []

            def note(count, found=found, **_):
                found.append(count)

            signals.reuse_found.connect(note)
            try:
                names = together([lambda b=b: b.get("/who/", follow=True).content for b in stale])
            finally:
                signals.reuse_found.disconnect(note)
            assert names == [b"nobody"] * RACERS
            assert found == [1]


class TestStart:
    def test_sign_ins_at_once_never_leave_more_than_are_allowed(self, bob, settings):
        settings.TOKENS_MAX_SESSIONS = 3
        together([lambda: RefreshToken.objects.start(bob) for _ in range(RACERS * 2)])
        assert RefreshToken.objects.live().count() == 3

    def test_sign_ins_of_two_people_and_their_mass_revocation_do_not_lock_each_other_out(self, alice, bob):
        calls = [
            *(lambda p=person: RefreshToken.objects.start(p) for person in (alice, bob) * 4),
            lambda: RefreshToken.objects.revoke_for([bob, alice], Reason.ADMIN),
            lambda: RefreshToken.objects.revoke_for([alice, bob], Reason.ADMIN),
        ]
        together(calls)
        assert RefreshToken.objects.count() == 8

    def test_a_person_deleted_while_they_sign_in_gets_a_plain_answer(self, django_user_model, client):
        for number in range(ROUNDS):
            person = django_user_model.objects.create_user(f"p{number}", f"p{number}@example.org", PASSWORD)
            form = {"username": person.username, "password": PASSWORD}
            answer, _ = together([lambda f=form: type(client)().post("/log-in/", f).status_code, person.delete])
            assert answer in (200, 401)
        assert not RefreshToken.objects.live().exists()

    def test_none_that_is_under_way_escapes_the_end_of_all(self, bob):
        """Bob has no session yet: nothing but the lock tells of the one that he is about to have."""
        inserted, ended = threading.Event(), threading.Event()

        def start():
            with transaction.atomic():
                RefreshToken.objects.start(bob)
                inserted.set()
                ended.wait(0.5)

        def end():
            inserted.wait(10)
            call_command("endsessions", "--all", stdout=StringIO())
            ended.set()

        together([start, end])
        assert RefreshToken.objects.get().reason == Reason.ADMIN


class TestRevoke:
    def test_mass_revocations_at_once_do_not_lock_each_other_out(self, bob, settings):
        """Reuse ends all sessions, while the person ends the others: in one order of rows, or PostgreSQL gives up."""
        settings.TOKENS_MAX_SESSIONS = 1000
        for _ in range(ROUNDS):
            rows = [RefreshToken.objects.start(bob) for _ in range(20)]
            row = rows[10]
            together(
                [
                    lambda r=row: RefreshToken.objects.revoke_reused(r),
                    lambda r=row: RefreshToken.objects.for_user(bob).exclude(pk=r.pk).revoke(Reason.ENDED),
                    lambda: RefreshToken.objects.for_user(bob).order_by("-last_used_at").revoke(Reason.ADMIN),
                ]
            )
            assert not RefreshToken.objects.live().exists()

    def test_rows_are_locked_in_one_order_whichever_index_finds_them(self, bob):
        """MariaDB locks while it reads, here by the index of `expires_at`, whose order is the opposite one."""
        rows = sorted((RefreshToken.objects.start(bob) for _ in range(3)), key=lambda row: row.pk)
        for number, row in enumerate(rows):
            row.expires_at -= timedelta(hours=number)
            row.save(update_fields=["expires_at"])
        expired = {"user": bob, "expires_at": rows[0].created_at - timedelta(days=1)}
        RefreshToken.objects.bulk_create(RefreshToken(**about_of(rows[0]) | expired) for _ in range(300))
        if connection.vendor == "mysql":
            connection.cursor().execute("ANALYZE TABLE tokens_refreshtoken")  # what the index is chosen by
        held = threading.Event()

        def hold():
            with transaction.atomic():
                locking(RefreshToken.objects.filter(pk=rows[1].pk)).get()
                held.set()
                time.sleep(0.5)  # each of the others gets to the row in the middle

        def end(found):
            held.wait(10)
            return found.revoke(Reason.ENDED)

        by_key = RefreshToken.objects.filter(pk__in=[row.pk for row in rows])
        _, *ended = together([hold, lambda: end(RefreshToken.objects.for_user(bob)), lambda: end(by_key)])
        assert sorted(ended) == [0, 3]

    def test_a_row_that_ends_between_its_reading_and_the_way_out_sets_no_cookies(self, bob, signed_in):
        """The list hears of it before the commit, and again after: the second time tells the response."""
        browser = signed_in(bob)
        elapse(1000, browser)
        marked, read, ended = threading.Event(), threading.Event(), threading.Event()

        def end():
            with transaction.atomic():
                RefreshToken.objects.all().revoke(Reason.REPLACED)
                marked.set()
                read.wait(10)
            ended.set()

        def visit():
            marked.wait(10)
            return browser.get("/waits/")

        WAITS.clear()
        WAITS.extend([read.set, lambda: ended.wait(10)])
        _, response = together([end, visit])
        assert response.content == b"bob" and not response.cookies

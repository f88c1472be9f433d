"""`manage.py tidyaccounts`: what is over goes, a little at a time."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.account import deletion
from accounts.mails import outbox
from accounts.management.commands import tidyaccounts
from accounts.models import EmailVerification, OutgoingMail, Passkey, SecurityEvent, TrustedBrowser, User
from accounts.models.email_verification import RETENTION
from accounts.models.security_event import EVENT_RETENTION
from tests.accounts.conftest import FIREFOX, sent
from tests.tokens.racing import together
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind
MOMENT = timedelta(seconds=1)


def tidy(*words):
    """What the command says, without the lines that say that nothing was to be done."""
    out = StringIO()
    call_command("tidyaccounts", *words, stdout=out)
    return [line for line in out.getvalue().splitlines() if not line.startswith("0 ")]


def event(user, ago=timedelta(), kind=Kind.SIGNED_IN):
    return SecurityEvent.objects.create(user=user, kind=kind, created_at=timezone.now() - ago, ip_address="203.0.113.7")


def vanish(user):
    """Gone from the table, as for what was written while they were being deleted."""
    User.objects.filter(pk=user.pk)._raw_delete("default")


class TestAccounts:
    @pytest.fixture
    def due(self, client, bob, sign_in):
        sign_in(client, bob)
        User.objects.filter(pk=bob.pk).update(deletion_due_at=timezone.now() - MOMENT)
        return bob

    def test_that_nobody_confirmed_or_used_go_after_90_days(self, db, alice):
        old, recent = timezone.now() - deletion.UNCONFIRMED_LIFETIME - MOMENT, timezone.now() - timedelta(days=89)
        kept = {
            "recent": {"date_joined": recent},
            "used": {"last_login": recent},
            "confirmed": {"email_verified_at": old},
            "staff": {"is_staff": True},
            "imported": {},
            "invited": {},
            "was confirmed": {},
        }
        for name, changes in (("forgotten", {}), ("long ago", {"last_login": old}), *kept.items()):
            user = User.objects.create(username=name, **{"date_joined": old, **changes})
            actor = alice if name == "invited" else None
            if name != "imported":
                SecurityEvent.objects.create(user=user, kind=Kind.SIGNED_UP, actor=actor)
            if name == "was confirmed":
                event(user, kind=Kind.EMAIL_CONFIRMED)
        assert tidy()[0] == "2 unconfirmed accounts deleted."
        assert {*User.objects.values_list("username", flat=True)} == {"alice", *kept}
        assert not mail.outbox

    def test_go_when_their_grace_is_over_and_no_sooner(self, due, alice, client, committing):
        User.objects.filter(pk=alice.pk).update(deletion_due_at=timezone.now() + timedelta(minutes=1))
        outbox.enqueue("password_changed", due)
        with committing():
            assert tidy() == ["1 accounts deleted."]
            assert tidy() == []
        assert User.objects.get() == alice
        assert sent() == [("account_deleted", ["bob@example.org"])]
        assert not OutgoingMail.objects.exists()
        assert {(event.user, event.ip_address) for event in SecurityEvent.objects.all()} == {(None, None)}
        assert {(row.user, row.ip_address, row.reason) for row in RefreshToken.objects.all()} == {
            (None, None, "deleted")
        }
        assert client.get("/accounts/profile/").status_code == 302

    def test_one_that_is_kept_at_the_last_moment_stays(self, due, monkeypatch):
        meanwhile = deletion.delete

        def delete(user):
            User.objects.update(deletion_due_at=None)
            return meanwhile(user)

        monkeypatch.setattr(deletion, "delete", delete)

        assert tidy() == []
        assert User.objects.get() == due
        assert not OutgoingMail.objects.exists()

    def test_one_that_cannot_go_now_is_not_tried_for_ever(self, due, monkeypatch):
        tried = []

        def delete(user):
            tried.append(user)
            assert len(tried) < 3
            return False

        monkeypatch.setattr(deletion, "delete", delete)

        assert tidy() == []
        assert tried == [due]

    def test_each_goes_by_itself_so_that_it_may_be_stopped_and_run_again(self, db, monkeypatch):
        for number in range(3):
            User.objects.create_user(f"u{number}", f"u{number}@example.org", deletion_due_at=timezone.now())
        anonymise, begun = deletion.anonymise, []

        def stop(user):
            begun.append(user.email)
            if len(begun) == 2:
                raise KeyboardInterrupt
            anonymise(user)

        monkeypatch.setattr(deletion, "anonymise", stop)
        with pytest.raises(KeyboardInterrupt):
            tidy()
        assert begun[0] not in User.objects.values_list("email", flat=True)
        assert User.objects.count() == 2
        assert [mail.to for mail in OutgoingMail.objects.all()] == begun[:1]
        monkeypatch.undo()
        assert tidy() == ["2 accounts deleted."]

    def test_a_dry_run_says_and_does_nothing(self, due):
        event(due, EVENT_RETENTION + MOMENT)
        with CaptureQueriesContext(connection) as queries:
            assert tidy("--dry-run") == ["1 accounts would be deleted.", "1 old events would be deleted."]
        assert all(query["sql"].startswith("SELECT") for query in queries)


class TestHistory:
    def test_is_kept_for_180_days(self, bob):
        assert EVENT_RETENTION.days == 180
        kept = event(bob, EVENT_RETENTION - timedelta(minutes=1))
        for user in (bob, None):
            event(user, EVENT_RETENTION + MOMENT)
        assert tidy() == ["2 old events deleted."]
        assert SecurityEvent.objects.get() == kept
        assert SecurityEvent.objects.all().prune() == 0

    def test_goes_a_little_at_a_time(self, bob, monkeypatch):
        monkeypatch.setattr(tidyaccounts, "BATCH_SIZE", 2)
        for _ in range(5):
            event(bob, EVENT_RETENTION + MOMENT)
        with CaptureQueriesContext(connection) as queries:
            assert tidy() == ["5 old events deleted."]
        assert len([query for query in queries if query["sql"].startswith("DELETE")]) == 3


def test_the_docs_name_the_times():
    page = (Path(settings.BASE_DIR) / "docs/reference/accounts.md").read_text()
    assert f"**For {deletion.GRACE_PERIOD.days} days** nothing is lost." in page
    assert f"neither confirmed nor used for {deletion.UNCONFIRMED_LIFETIME.days} days" in page
    assert page.count(f"{EVENT_RETENTION.days} days") == page.count(f"for {RETENTION.days} days") == 1


class TestLeftovers:
    """The database holds nobody to a person who is gone: what was written at the last moment is found here."""

    def test_events_lose_what_says_whose_they_are(self, bob, alice, rf):
        request = rf.get("/", headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.7")
        for user in (bob, alice, None):
            SecurityEvent.objects.record(request, user, Kind.SIGN_IN_FAILED)
        vanish(bob)
        assert tidy() == ["1 events of deleted users anonymised."]
        assert tidy() == []
        rest = SecurityEvent.objects.order_by("pk").values_list("user", "ip_address", "user_agent")
        where = ("203.0.113.7", FIREFOX)
        assert list(rest) == [(None, None, ""), (alice.pk, *where), (None, *where)]

    def test_mails_and_proofs_of_addresses_go(self, bob, alice):
        for user in (bob, alice, None):
            outbox.enqueue("password_changed", user, to="x@example.org")
        for user in (bob, alice):
            EmailVerification.objects.create(user=user, email="x@example.org")
        vanish(bob)
        assert tidy() == ["1 email verifications of deleted users deleted.", "1 mails to deleted users deleted."]
        assert set(EmailVerification.objects.values_list("user", flat=True)) == {alice.pk}
        assert set(OutgoingMail.objects.values_list("user", flat=True)) == {alice.pk, None}

    def test_old_proofs_of_addresses_go(self, bob):
        for days in (9, 7):
            EmailVerification.objects.create(
                user=bob, email="x@example.org", requested_at=timezone.now() - timedelta(days=days)
            )
        assert tidy() == ["1 old email verifications deleted."]

    def test_second_factors_and_trusted_browsers_go(self, bob, alice):
        later = timezone.now() + timedelta(days=1)
        for user in (bob, alice):
            Passkey.objects.create(user=user, credential_id=user.username, public_key=b"")
            TrustedBrowser.objects.create(user=user, key=user.username, expires_at=later)
        TrustedBrowser.objects.create(user=alice, key="over", expires_at=timezone.now())
        vanish(bob)
        assert tidy() == [
            "1 trusted browsers forgotten.",
            "1 passkeys of deleted users deleted.",
            "1 trusted browsers of deleted users deleted.",
        ]
        assert Passkey.objects.get().user == TrustedBrowser.objects.get().user == alice

    def test_sessions_lose_where_they_were(self, client, bob, sign_in):
        sign_in(client, bob)
        RefreshToken.objects.update(user=None, name="Bob's own", revoked_at=timezone.now())
        assert tidy() == ["1 sessions of deleted users anonymised."]
        assert tidy() == []
        row = RefreshToken.objects.get()
        assert (row.name, row.user_agent, row.ip_address) == ("", "", None)


@pytest.mark.django_db(transaction=True)
def test_two_at_once_delete_and_tell_once():
    for number in range(8):
        User.objects.create_user(f"u{number}", f"u{number}@example.org", deletion_due_at=timezone.now())
    together([tidy, tidy])
    assert not User.objects.exists()
    assert sorted(message.to[0] for message in mail.outbox) == [f"u{number}@example.org" for number in range(8)]

"""`manage.py afterrestore`: what came back with a backup ends, and what the log says was done since is repeated."""

import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.account.deletion import GRACE_PERIOD
from accounts.mails import outbox
from accounts.models import (
    Attempt,
    EmailVerification,
    FactorRemoval,
    Identity,
    OutgoingMail,
    ProviderFlow,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from tests.conftest import PASSWORD
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind
SINCE = timezone.now() - timedelta(hours=2)  # the latest event in the backup


@pytest.fixture
def restored(db, client, bob, sign_in):
    """A database from a backup: bob is signed in again, and a mail and a link wait."""
    sign_in(client, bob)
    SecurityEvent.objects.all()._raw_delete("default")
    SecurityEvent.objects.create(user=bob, kind=Kind.SIGNED_IN, created_at=SINCE)
    User.objects.filter(pk=bob.pk).update(password_changed_at=SINCE)
    EmailVerification.objects.create(user=bob, email="new@example.org")
    outbox.enqueue("password_changed", bob)
    return bob


@pytest.fixture
def log(tmp_path):
    """`log((minutes since the backup, event, user, provider), ...)`: the path of a log as JSON, among other lines.

    There may be no provider.
    """

    def log(*events):
        lines = [
            json.dumps(
                {
                    "timestamp": (SINCE + timedelta(minutes=minutes)).isoformat(),
                    "event": kind,
                    "user_id": str(user.pk),
                    **dict(zip(["provider"], provider, strict=False)),
                }
            )
            for minutes, kind, user, *provider in events
        ]
        path = tmp_path / "log"
        path.write_text("\n".join(["[INFO] Booting worker", "{}", "[]", '{"event": "answered"}', *lines]))
        return str(path)

    return log


def after(*words, **options):
    out = StringIO()
    call_command("afterrestore", *words, stdout=out, **options)
    return out.getvalue()


def test_sessions_end_and_mails_and_links_are_discarded(restored, client):
    said = after()
    assert not RefreshToken.objects.live().exists()
    assert not OutgoingMail.objects.exists() and not EmailVerification.objects.exists()
    assert "1 sessions ended." in said and "1 waiting emails" in said and "1 unused links" in said
    assert "--log" in said


def test_nothing_comes_back_that_spares_or_removes_a_second_factor(restored):
    later = timezone.now() + timedelta(days=1)
    TrustedBrowser.objects.create(user=restored, key="x", expires_at=later)
    FactorRemoval.objects.create(user=restored, due_at=later)
    User.objects.filter(pk=restored.pk).update(factors_leaving=True)
    Attempt.objects.create(user=restored, key="x")
    ProviderFlow.objects.create(state="x", provider="acme", purpose="sign_in")
    said = after()
    assert "1 removals of second factors" in said and "1 browsers" in said
    assert not any(model.objects.exists() for model in (TrustedBrowser, FactorRemoval, Attempt, ProviderFlow))
    restored.refresh_from_db()
    assert not restored.factors_leaving


def test_what_can_still_be_undone_stays(restored):
    change = EmailVerification.objects.create(
        user=restored, email=restored.email, previous_email="bob@example.com", confirmed_at=SINCE
    )
    after()
    assert EmailVerification.objects.changes().get() == change


def test_a_backup_without_events_is_from_before_all_of_them(restored, log):
    SecurityEvent.objects.all()._raw_delete("default")
    after(log=[log((1, "deactivated", restored))])
    restored.refresh_from_db()
    assert not restored.is_active


def test_a_dry_run_changes_nothing(restored, log):
    assert "Deleted again: bob" in after(log=[log((1, "account_deleted", restored))], dry_run=True)
    assert RefreshToken.objects.live().exists() and OutgoingMail.objects.exists()


class TestLog:
    def test_who_was_deleted_since_is_deleted_again(self, restored, log):
        after(log=[log((1, "account_deleted", restored))])
        assert not User.objects.exists()

    def test_the_log_says_who_is_deleted(self, bob, caplog, committing):
        key = str(bob.pk)
        with committing(), caplog.at_level("INFO", "accounts"):
            bob.delete()
        assert [record.user_id for record in caplog.records if record.kind == "account_deleted"] == [key]

    @pytest.mark.parametrize(("kinds", "active"), [(["deactivated"], False), (["deactivated", "activated"], True)])
    def test_whose_account_was_closed_last_is_closed_again(self, restored, log, kinds, active):
        after(log=[log(*((minute, kind, restored) for minute, kind in enumerate(kinds, 1)))])
        restored.refresh_from_db()
        assert restored.is_active is active

    def test_whoever_asked_to_be_deleted_will_be(self, restored, log):
        after(log=[log((2, "deletion_asked", restored), (1, "deletion_withdrawn", restored))])
        restored.refresh_from_db()
        assert restored.deletion_due_at == SINCE + timedelta(minutes=2) + GRACE_PERIOD

    @pytest.mark.parametrize("kind", ["password_changed", "password_reset"])
    def test_a_password_that_was_replaced_signs_nobody_in_and_can_be_reset(self, restored, log, kind):
        after(log=[log((1, kind, restored))])
        restored.refresh_from_db()
        assert not restored.check_password(PASSWORD)
        assert restored.can_reset_password

    def test_a_password_that_was_chosen_since_the_restore_stays(self, restored, log):
        User.objects.filter(pk=restored.pk).update(password_changed_at=timezone.now())
        after(log=[log((1, "password_reset", restored))])
        restored.refresh_from_db()
        assert restored.check_password(PASSWORD)

    @pytest.mark.parametrize("kind", [Kind.RECOVERY_CODE_USED, Kind.RECOVERY_CODES_RENEWED])
    def test_recovery_codes_from_before_one_was_used_or_all_were_replaced_are_of_no_use(self, restored, log, kind):
        for head, minutes in (("ab", -1), ("cd", 2)):
            made = SINCE + timedelta(minutes=minutes)
            RecoveryCode.objects.create(user=restored, head=head, created_at=made)
        said = after(log=[log((1, kind, restored))])
        assert "Has to get new recovery codes, as some of the restored ones were used or replaced: bob" in said
        assert RecoveryCode.objects.get().head == "cd"

    def test_providers_that_were_removed_sign_nobody_in(self, restored, log):
        for number, (name, minutes) in enumerate([("acme", -1), ("acme", 2), ("hub", -1)]):
            made = SINCE + timedelta(minutes=minutes)
            Identity.objects.create(key=str(number), user=restored, provider=name, created_at=made)
        said = after(log=[log((1, Kind.PROVIDER_REMOVED, restored, "acme"))])
        assert "Can no longer sign in with accounts elsewhere that were removed: bob" in said
        assert {*Identity.objects.values_list("key", flat=True)} == {"1", "2"}
        assert SecurityEvent.objects.get(kind=Kind.PROVIDER_REMOVED).method == "acme"

    @pytest.mark.parametrize(
        "kind", [Kind.RIGHTS_CHANGED, Kind.PASSKEY_REMOVED, Kind.AUTHENTICATOR_ADDED, Kind.PROVIDER_ADDED]
    )
    def test_what_it_cannot_tell_is_named(self, restored, log, kind):
        assert f"To be looked at ({kind.label}): bob" in after(log=[log((1, kind, restored))])

    def test_events_are_recorded_again_once(self, restored, log):
        stranger = User(pk=uuid4())
        lines = [(1, "username_changed", restored), (1, "copy_tried", restored), (1, "signed_up", stranger)]
        before_the_backup = [(-1, "activated", restored), (0.01, "signed_in", restored)]  # logged as it committed
        said = after(log=[log(*lines, *before_the_backup)])
        assert "1 accounts created since are lost" in said
        added = SecurityEvent.objects.exclude(created_at=SINCE)
        assert [(event.kind, event.user_id) for event in added] == [("username_changed", restored.pk)]
        after(log=[log(*lines)], taken_at=SINCE)
        assert added.count() == 1

    def test_that_cannot_be_read_stops_it(self, restored, tmp_path):
        with pytest.raises(CommandError, match="can't be read"):
            after(log=[str(tmp_path / "nothing")])
        assert RefreshToken.objects.live().exists()

    def test_a_time_needs_a_zone(self, restored):
        with pytest.raises(CommandError, match="zone"):
            after("--taken-at", "2026-11-29T03:00")

"""Taking the data along: one file, with everything and without a secret."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.account import export
from accounts.factors import recovery_codes, totp
from accounts.models import (
    Authenticator,
    EmailVerification,
    FactorSettings,
    Identity,
    Passkey,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from tests.accounts.conftest import CHROME, FIREFOX
from tests.conftest import PASSWORD
from tests.tokens.clock import jar
from tokens import verification
from tokens.models import RefreshToken
from tokens.testing import Client

EXPORT = "/accounts/export/"
Kind = SecurityEvent.Kind


@pytest.fixture
def gone(there):
    """Bob's other browser, signed out again."""
    there.post("/accounts/logout/")
    return there


class TestExport:
    def test_is_one_file_that_nobody_keeps_or_takes_for_something_else_and_is_written_down(self, here, bob):
        assert here.get(EXPORT).status_code == 200
        response = here.post(EXPORT)
        today = f"{timezone.now():%Y-%m-%d}"
        assert response.headers["Content-Disposition"] == f'attachment; filename="sojourn-bob-{today}.json"'
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "private, no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        event = SecurityEvent.objects.get(kind=Kind.EXPORTED)  # once, by the POST
        assert (event.user, event.session_id) == (bob, RefreshToken.objects.get().pk)

    def test_any_name_makes_a_name_of_a_file(self, here, bob):
        for name in ("Zoë+1", "..", "名前"):
            User.objects.filter(pk=bob.pk).update(username=name)
            header = here.post(EXPORT).headers["Content-Disposition"]
            assert header.startswith("attachment; filename")
            assert header.isascii() and not set(header) & set("/\\\r\n")

    def test_costs_twelve_queries_however_much_there_is(self, here, bob, sign_in, django_assert_num_queries):
        for _ in range(5):
            sign_in(Client(), bob)
            EmailVerification.objects.create(user=bob, email="x@example.org")
        bob.groups.add(Group.objects.create(name="readers"), Group.objects.create(name="writers"))
        with django_assert_num_queries(12):  # 7: row, event, groups, sessions, events, addresses; 5: ways in
            document = here.post(EXPORT).json()
        assert [len(document[name]) for name in ("sessions", "history", "addresses")] == [6, 7, 5]


class TestDocument:
    """docs/reference/accounts.md lists each member of the document, and no other."""

    @pytest.fixture
    def factors(self, bob):
        """What lets Bob in besides his password."""
        now, secret = timezone.now(), totp.new_secret()
        handle = FactorSettings.objects.get_or_create(user=bob)[0].handle
        about = {"credential_id": "the-credential", "public_key": b"the key", "aaguid": handle}
        Passkey.objects.create(user=bob, name="Phone", backup_eligible=True, last_used_at=now, **about)
        Identity.objects.create(user=bob, key="b" * 64, provider="acme", issuer="https://acme.example", subject="7")
        app = Authenticator.objects.create(user=bob, secret=totp.encrypt(secret))
        codes = recovery_codes.renew(bob)
        trusted = TrustedBrowser.objects.create(user=bob, key="a" * 64, user_agent=CHROME, expires_at=now)
        hashes = RecoveryCode.objects.values_list("code_hash", flat=True)
        return {"the-credential", "the key", str(handle), secret, app.secret, *codes, *hashes, trusted.key}

    @pytest.fixture
    def document(self, here, gone, bob, alice, rf, factors):
        User.objects.filter(pk=bob.pk).update(first_name="Bob", email_verified_at=datetime(2026, 1, 2, 3, tzinfo=UTC))
        bob.groups.add(Group.objects.create(name="readers"))
        EmailVerification.objects.create(user=bob, email="new@example.org", previous_email="bob@example.org")
        EmailVerification.objects.create(user=alice, email="alice@example.org")
        request = rf.get("/", headers={"user-agent": CHROME}, REMOTE_ADDR="203.0.113.7")
        SecurityEvent.objects.record(request, bob, Kind.SESSION_ENDED, actor=alice)
        SecurityEvent.objects.record(request, alice, Kind.SIGN_IN_FAILED)
        return here.post(EXPORT).json()

    def test_has_the_account(self, document, bob):
        assert (document["format"], document["version"]) == (export.FORMAT, export.VERSION) == ("sojourn-account", 1)
        assert datetime.fromisoformat(document["created_at"]).tzinfo
        account = document["account"]
        assert (str(account["id"]), account["username"], account["email"]) == (str(bob.pk), "bob", "bob@example.org")
        assert (account["first_name"], account["groups"]) == ("Bob", ["readers"])
        assert account["email_confirmed_at"] == "2026-01-02T03:00:00+00:00"
        assert (account["deletion_due_at"], account["is_staff"]) == (None, False)

    def test_has_the_sessions_those_that_are_over_too(self, document):
        assert [session["current"] for session in document["sessions"]] == [False, True]
        over, live = document["sessions"]
        assert (live["device"], live["ip_address"], live["remember"]) == ("Firefox 128 on Linux", "127.0.0.1", False)
        assert (live["ended_at"], live["reason"]) == (None, "")
        assert (over["reason"], over["user_agent"]) == ("signed_out", CHROME)
        assert over["ended_at"]

    def test_one_that_ran_out_is_over_too(self, here, bob):
        RefreshToken.objects.start(bob)
        RefreshToken.objects.exclude(user_agent=FIREFOX).update(expires_at=timezone.now() - timedelta(minutes=1))
        [over] = [session for session in here.post(EXPORT).json()["sessions"] if not session["current"]]
        assert (over["reason"], over["ended_at"]) == ("expired", over["expires_at"])

    def test_has_the_history_and_of_administrators_only_that_it_was_one(self, document):
        kinds = [event["kind"] for event in document["history"]]
        assert kinds == ["exported", "session_ended", "signed_out", "signed_in", "signed_in"]
        ended, mine = document["history"][1], document["history"][-1]
        where = ("by_administrator", "ip_address", "user_agent", "device")
        assert [ended[name] for name in where] == [True, None, "", ""]
        assert (mine["by_administrator"], mine["ip_address"], mine["what"]) == (False, "127.0.0.1", "Signed in")
        assert mine["session_id"] in [session["id"] for session in document["sessions"]]

    def test_has_the_addresses(self, document):
        [asked] = document["addresses"]
        assert (asked["email"], asked["previous_email"]) == ("new@example.org", "bob@example.org")
        assert (asked["confirmed_at"], asked["undone_at"]) == (None, None)

    def test_has_the_factors(self, document):
        [passkey], [app], [trusted] = (
            document[name] for name in ("passkeys", "authenticator_apps", "trusted_browsers")
        )
        assert (passkey["name"], passkey["synced"]) == ("Phone", True)
        assert passkey["added_at"] and passkey["last_used_at"] and app["added_at"]
        assert (trusted["device"], trusted["user_agent"]) == ("Chrome 131 on Windows", CHROME)
        assert [code["used_at"] for code in document["recovery_codes"]] == [None] * 10

    def test_has_nothing_of_others(self, document):
        assert "alice" not in json.dumps(document)
        assert "203.0.113.7" not in json.dumps(document)

    def test_has_no_secret(self, here, document, bob, factors):
        text = json.dumps(document)
        tokens = jar(here)
        secrets = factors | {bob.password, PASSWORD, *tokens.values(), here.cookies["__Host-csrftoken"].value}
        secrets |= {part for token in tokens.values() for part in token.split(".")}
        secrets |= {verification.verify_access(tokens["access"]).jti, verification.verify_access(tokens["access"]).rti}
        for row in RefreshToken.objects.all():
            secrets |= {row.auth_hash, str(row.jti), row.jti.hex}
        assert len(secrets) > 35
        assert [secret for secret in secrets if secret in text] == []
        assert not {"password", "auth_hash", "jti", "code", "head", "token", "secret", "key"} & set(_names(document))

    def test_every_member_is_documented_and_no_other(self, document):
        page = (Path(settings.BASE_DIR) / "docs/reference/accounts.md").read_text()
        section = page.partition("## Data export")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, flags=re.M)
        documented = {f"{part}.{name}" for part, names in rows for name in re.findall("`(.+?)`", names)}
        members = {f"{name}.{member}" for name, value in document.items() for member in _names(value)}
        assert documented == members
        alone = {name for name, value in document.items() if isinstance(value, str | int)}
        introduction = section.partition("\n| part ")[0]
        assert {name for name in re.findall("`(.+?)`", introduction) if name in document} == alone
        assert f"`{export.FORMAT}`, `version` {export.VERSION} " in " ".join(introduction.split())


def _names(value):
    if isinstance(value, dict):
        yield from value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(part)

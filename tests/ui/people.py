"""`python -m tests.ui.people`: makes the tables, the static files and whoever is on the pages.

Prints, as JSON, what the gallery cannot know: `jars`, the cookies of each sign-in by its name, and the parts of
addresses that are drawn at random.
"""

import itertools
import json
from datetime import timedelta
from typing import Any

import django
from django.core.management import call_command

PASSWORD = "correct horse battery"
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
IPAD = IPHONE.replace("iPhone; CPU iPhone", "iPad; CPU")
PROGRAM = "curl/8.5.0"
AGENT = "MyCompany Backup Agent/3.1 (+https://example.org/bot)"
LONG = "2001:db8:4f0:21:5d1e:77c2:9a0b:1f34"


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    from django.db import transaction

    with transaction.atomic():
        print(json.dumps(made(), default=str))


def made() -> dict[str, Any]:
    """Everybody, and what the gallery needs to know of them."""
    from django.contrib.auth.models import Group

    from accounts.models import SecurityEvent

    alice = person("alice", "Alice", "Weber", is_staff=True, is_superuser=True)
    bob, carol, dave, olga = person("bob", "Bob", "Marsh"), person("carol"), person("dave"), person("olga")
    wanda, hostile = person("wanda"), person("w" * 60, "W" * 60, "\u202e" + "M" * 59)
    person("zoe", is_active=False)
    pia, tess = person("pia"), person("tess", reuse_unanswered=True)
    jars = {
        "alice": jar(alice, name="Office", user_agent=FIREFOX, started=2 * DAY),
        "bob": jar(bob, name="Work laptop", user_agent=FIREFOX, started=5 * DAY),
        "carol": jar(carol, user_agent=CHROME, started=HOUR),
        "dave": jar(dave, user_agent=CHROME, started=HOUR),
        "erin": jar(person("erin", email_verified_at=None), user_agent=IPHONE, started=HOUR),
        "rita": refused(person("rita", email_verified_at=None)),
        "nora": jar(person("nora"), user_agent=IPHONE, started=HOUR),
        "tess": jar(tess, user_agent=FIREFOX, started=HOUR),
        "pia": jar(pia, user_agent=IPHONE, started=HOUR),
        "olga": jar(olga, user_agent=FIREFOX, started=DAY, proved=DAY),
        **ended_ones(person("ivan")),
        "mona": many_of(person("mona")),
        "twelve": some_of(person("twelve"), 11),
        "hostile": hostile_of(hostile),
        "offered": offered_to(wanda),
        **walkers(),
    }
    passkey_id, jars["petra"] = factors_of(petra := person("petra"))
    _, jars["otto"] = factors_of(otto := person("otto"), passkey_only=True, proved=DAY)
    jars["gwen"] = jar(gwen := without_password("gwen"), user_agent=IPHONE, started=DAY, proved=DAY, method="gitlab")
    _, jars["ida"] = factors_of(ida := person("ida", factors_leaving=True))
    sweep()
    SecurityEvent.objects.create(user=hostile, kind="signed_in", user_agent=AGENT, ip_address=LONG)
    ids = {
        "bob_id": bob.pk,
        "wanda_id": wanda.pk,
        "petra_id": petra.pk,
        "hostile_id": hostile.pk,
        "here": here_of(bob),
        "session": sessions_of(bob),
        "passkey_id": passkey_id,
        "gwen_id": gwen.pk,
        "identity_id": identity_of(petra),
        "group_id": Group.objects.create(name="Support").pk,
        "event_id": history_of(bob),
        "mail_id": mail_to(carol),
    }
    theft_from(tess)
    type(dave).objects.filter(pk=dave.pk).update(deletion_due_at=now() + 14 * DAY)
    ids |= {"lost": removal_of(otto), "leaving": removal_of(ida, started=True)}
    return {"jars": jars, **ids, **links(carol, person("gina", email_verified_at=None), person("hugo"), pia)}


def person(name: str, first: str = "", last: str = "", **about: Any) -> Any:
    from accounts.models import User

    about = {"first_name": first, "last_name": last, "email_verified_at": now() - 90 * DAY, **about}
    return User.objects.create_user(name, f"{name}@example.org", PASSWORD, **about)


def without_password(name: str) -> Any:
    """Somebody who signs in with a provider alone."""
    user = person(name)
    user.leave_password_unchosen()
    user.save()
    identity_of(user, "gitlab")
    return user


def offered_to(user: Any) -> dict[str, str]:
    """The cookie of a browser that is back from a provider, which has named the email of `user`."""
    from django.conf import settings

    from accounts.models import ProviderFlow
    from accounts.models.factors import digest

    about = {"purpose": "sign_in", "spent": True, "offered": ["google", "7", user.email]}
    ProviderFlow.objects.create(state=digest("secret"), provider="google", created_at=now() + DAY, **about)
    return {settings.PROVIDER_COOKIE_NAME: "secret"}


def jar(user: Any, *, started: timedelta, proved: timedelta = -DAY, **about: Any) -> dict[str, str]:
    """The cookies of a real sign-in, whose row is `about` something. A proof of tomorrow is a fresh one all day."""
    from tokens import cookies, issuing
    from tokens.models import RefreshToken
    from tokens.testing import Client

    client, before = Client(), set(RefreshToken.objects.values_list("pk", flat=True))
    client.force_login(user)
    row = RefreshToken.objects.exclude(pk__in=before)
    row.update(
        **{
            "ip_address": "203.0.113.7",
            "method": "password",
            "created_at": now() - started,
            "authenticated_at": now() - proved,
            **about,
        }
    )
    client.cookies[cookies.name_of("reauth")] = issuing.reauth_value(row.get())
    return {name: morsel.value for name, morsel in client.cookies.items()}


def refused(user: Any) -> dict[str, str]:
    """The browser of somebody who has signed up with an email that no server takes."""
    from django.conf import settings
    from django.contrib.sessions.backends.signed_cookies import SessionStore

    from accounts.models import EmailVerification

    session = SessionStore()
    asked = EmailVerification.objects.create(user=user, email=user.email, refused_at=now())
    session["verification"] = [str(asked.pk), int(now().timestamp())]
    session.save()
    return {settings.SESSION_COOKIE_NAME: str(session.session_key)}


def walkers() -> dict[str, dict[str, str]]:
    """Who changes something on the way (tests/ui/test_keyboard.py)."""
    wilma = person("wilma")
    row_of(wilma, IPHONE, started=9 * DAY, seen=3 * HOUR)
    return {"wilma": jar(wilma, user_agent=FIREFOX, started=DAY), "walter": some_of(person("walter"), 25)}


def many_of(user: Any) -> dict[str, str]:
    """Somebody with a hundred sessions, and eight that are over: the cookies of the newest."""
    for days in range(8):
        row_of(user, CHROME, started=25 * DAY, seen=days * DAY, revoked_at=now() - days * DAY, reason="ended")
    return some_of(user, 99)


def some_of(user: Any, others: int) -> dict[str, str]:
    """Somebody with so many other sessions: the cookies of the newest."""
    for number, agent in zip(range(others), itertools.cycle((IPHONE, CHROME, IPAD))):
        bound = {"bound_at": now() - DAY, "bound_proved_at": now() - HOUR}  # as heavy as it gets
        about = {"started": (number + 2) * DAY, "seen": number * DAY, "name": f"Test bench {number}" * (number % 2)}
        row_of(user, agent, **about, **bound)
    return jar(user, user_agent=FIREFOX, started=DAY)


def hostile_of(user: Any) -> dict[str, str]:
    """Names that are too long, turn around what follows them, or can't be seen; no form takes them today."""
    for number, name in enumerate(("\u202etxt.exe", "\u200b" * 9 + "Ghost", "حاسوب العمل", "客厅" * 30, "")):
        row_of(user, AGENT, started=(number + 3) * DAY, seen=number * DAY, name=name, ip_address=LONG)
    return jar(user, name="W" * 60, user_agent=FIREFOX, started=DAY)


def factors_of(user: Any, passkey_only: bool = False, **about: Any) -> tuple[int, dict[str, str]]:
    """Somebody with a passkey, and perhaps with every other factor; the key of the passkey, and their cookies."""
    from accounts.factors import recovery_codes, totp
    from accounts.models import Authenticator, FactorSettings, Passkey, TrustedBrowser

    cookies = jar(user, user_agent=FIREFOX, started=DAY, amr="pwd swk user mfa", **about)
    FactorSettings.objects.create(user=user)
    name = f"passkey-of-{user.username:x<9}"  # as Base64 has it
    passkey = Passkey.objects.create(user=user, credential_id=name, name="iCloud Keychain")
    if not passkey_only:
        Passkey.objects.create(
            user=user, credential_id=f"another-{name}", name="Security key", last_used_at=now() - DAY
        )
        Authenticator.objects.create(user=user, secret=totp.encrypt(totp.new_secret()), confirmed_at=now() - 9 * DAY)
        recovery_codes.renew(user)
        until, version = now() + 9 * DAY, user.password_version
        trusted = {"user_agent": IPHONE, "expires_at": until, "password_version": version}
        TrustedBrowser.objects.create(user=user, key=name, **trusted)
    return passkey.pk, cookies


def identity_of(user: Any, provider: str = "github") -> int:
    """An account at a provider that `user` signs in with; its key."""
    from accounts.models import Identity

    about = {"provider": provider, "issuer": f"https://{provider}.com", "subject": str(user.pk), "email": user.email}
    return Identity.objects.create(user=user, key=user.username, last_used_at=now() - DAY, **about).pk


def removal_of(user: Any, *, started: bool = False) -> str:
    """The removal of the factors of `user`: what the link to start it ends in, or the one to cancel it."""
    from accounts.factors import removal
    from accounts.models import FactorRemoval

    row = FactorRemoval.objects.create(user=user, due_at=now() + 2 * DAY if started else None)
    return f"{row.pk}/{(removal.cancel_token if started else removal.start_token)(row)}"


def ended_ones(user: Any) -> dict[str, dict[str, str]]:
    """A sign-in for each reason for which one can be over, and a copy of one that is bound to its device."""
    from tokens.models import RefreshToken

    jars = {}
    for reason in RefreshToken.Reason:
        over = {"expires_at": now() - HOUR} if reason == "expired" else {"revoked_at": now(), "reason": reason}
        jars[f"ended-{reason}"] = jar(user, started=DAY, **over)
    bound = jar(user, started=DAY, bound_key="{}", bound_at=now() - DAY, bound_proved_at=now() - DAY)
    jars["unproven"] = {name: value for name, value in bound.items() if not name.endswith("access")}
    return jars


def here_of(user: Any) -> str:
    """The id of the one session that `user` has."""
    return str(user.refresh_tokens.get().pk)


def sessions_of(user: Any) -> str:
    """Where else `user` is signed in, and was; the id of one that can be named and ended."""
    bound = {"bound_at": now() - 20 * DAY, "bound_proved_at": now() - 3 * DAY}
    row_of(user, CHROME, started=20 * DAY, seen=3 * DAY, ip_address="2001:db8:4f0:21::7", **bound)
    row_of(user, PROGRAM, started=DAY, seen=HOUR, method="api", is_app=True, name="Backup")
    for days, reason in [(1, "signed_out"), (3, "ended"), (8, "replaced"), (12, "evicted"), (20, "reused")]:
        row_of(user, CHROME, started=(days + 2) * DAY, seen=days * DAY, revoked_at=now() - days * DAY, reason=reason)
    return str(row_of(user, IPHONE, started=9 * DAY, seen=3 * HOUR, ip_address="198.51.100.23").pk)


def row_of(user: Any, user_agent: str, *, started: timedelta, seen: timedelta, **about: Any) -> Any:
    from tokens.models import RefreshToken, admission

    row = RefreshToken.objects.start(user, remember=True, method=about.pop("method", "password"))
    about = {"user_agent": user_agent, "ip_address": "203.0.113.7", "auth_hash": admission.auth_hash(user), **about}
    RefreshToken.objects.filter(pk=row.pk).update(created_at=now() - started, last_used_at=now() - seen, **about)
    return row


RECENT = (
    "signed_in",
    "session_ended",
    "sign_in_failed",
    "sign_in_failed",
    "signed_in",
    "copy_tried",
    "device_unproven",
    "password_changed",
    "reuse_found",
    "profile_changed",
)


def sweep() -> None:
    """What came of the sign-ins above is nobody's: there is a person without a history."""
    from accounts.models import OutgoingMail, SecurityEvent

    SecurityEvent.objects.all().anonymise()
    OutgoingMail.objects.all().delete()


def history_of(user: Any) -> int:
    """More than two pages of what happened; the key of the newest."""
    from accounts.models import SecurityEvent

    kinds = [*RECENT, *["signed_in", "signed_out"] * 8, *reversed(SecurityEvent.Kind)]
    agents = (FIREFOX, IPHONE, CHROME, "")
    methods = {"signed_in": "password", "provider_added": "google", "provider_removed": "gone"}
    events = SecurityEvent.objects.bulk_create(
        SecurityEvent(
            user=user,
            kind=kind,
            created_at=now() - 5 * number * HOUR,
            ip_address="198.51.100.23" if number % 3 else None,
            user_agent=agents[number % 4],
            method=methods.get(kind, ""),
        )
        for number, kind in enumerate(kinds)
    )
    return events[0].pk


def theft_from(user: Any) -> None:
    """A copy of a session of `user` has come to light."""
    from accounts.models import SecurityEvent

    row = row_of(user, IPHONE, started=9 * DAY, seen=DAY, revoked_at=now() - DAY, reason="reused")
    where = {"ip_address": "198.51.100.23", "user_agent": CHROME, "created_at": now() - DAY}
    SecurityEvent.objects.create(user=user, kind="reuse_found", session_id=row.pk, **where)


def links(forgetful: Any, new: Any, moved: Any, moving: Any) -> dict[str, str]:
    """What the mails to these people would lead to; one of them is asked for a new address."""
    from django.utils.http import urlsafe_base64_encode

    from accounts.email.tokens import link_token, undo_token
    from accounts.models import EmailVerification
    from accounts.security.reset_tokens import reset_tokens

    asked = EmailVerification.objects.create(user=new, email=new.email)
    was = EmailVerification(user=moved, email=moved.email, previous_email="hugo@example.net", confirmed_at=now())
    was.save()
    old = EmailVerification.objects.create(user=new, email=new.email, requested_at=now() - 2 * HOUR)
    used = EmailVerification.objects.create(user=moved, email=moved.email, confirmed_at=now())
    undone = EmailVerification.objects.create(user=moved, email=moved.email, previous_email="h@example.net")
    undone.confirmed_at = undone.undone_at = now()
    undone.save()
    EmailVerification.objects.create(user=moving, email="pia@example.net", previous_email=moving.email)
    return {
        "old": f"{old.pk}/{link_token(old)}",
        "used": f"{used.pk}/{link_token(used)}",
        "undone": f"{undone.pk}/{undo_token(undone)}",
        "reset": f"{urlsafe_base64_encode(str(forgetful.pk).encode())}/{reset_tokens.make_token(forgetful)}",
        "confirm": f"{asked.pk}/{link_token(asked)}",
        "undo": f"{was.pk}/{undo_token(was)}",
    }


def mail_to(user: Any) -> int:
    """One that waits for a mail server, and is not due while the pages are looked at."""
    from accounts.models import OutgoingMail

    about = {"kind": "new_browser", "user": user, "to": user.email, "language": "en"}
    return OutgoingMail.objects.create(**about, due_at=now() + DAY).pk


def now() -> Any:
    from django.utils import timezone

    return timezone.now()


if __name__ == "__main__":
    main()

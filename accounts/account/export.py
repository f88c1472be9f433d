"""Export what the site knows about a user as one document; docs/reference/accounts.md describes it.

Nothing in it grants access: it holds no password hash, no token, no id of a token, and no key
or secret of a second factor.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import router
from django.http import JsonResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import slugify

from accounts.account.user_agents import describe
from accounts.models import (
    Authenticator,
    EmailVerification,
    Identity,
    Passkey,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from tokens.models import RefreshToken

FORMAT = "sojourn-account"
VERSION = 1  # changes if a member is removed or changes its meaning, but not if one is added

Document = dict[str, object]


def document(user: User, current_id: UUID | None = None) -> Document:
    """Return everything about `user`, read in nine queries; times are in ISO 8601, in UTC.

    `current_id` is the id of the session that asks.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "created_at": _time(timezone.now()),
        "account": _account(user),
        "sessions": [
            _session(row) | {"current": row.pk == current_id}
            for row in RefreshToken.objects.for_user(user).order_by("-created_at")
        ],
        "history": [_event(event) for event in SecurityEvent.objects.of(user)],
        "addresses": [
            _email_verification(verification)
            for verification in EmailVerification.objects.filter(user=user).order_by("-requested_at")
        ],
        "passkeys": [_passkey(passkey) for passkey in Passkey.objects.filter(user=user)],
        "authenticator_apps": [_authenticator(app) for app in Authenticator.objects.filter(user=user)],
        "providers": [_identity(identity) for identity in Identity.objects.filter(user=user)],
        "recovery_codes": [_recovery_code(code) for code in RecoveryCode.objects.filter(user=user).order_by("pk")],
        "trusted_browsers": [_trusted_browser(browser) for browser in TrustedBrowser.objects.filter(user=user)],
    }


def download(user: User, current_id: UUID | None = None) -> JsonResponse:
    """Return the document as a file to save."""
    name = f"{slugify(settings.SITE_NAME) or 'account'}-{user.username}-{timezone.now():%Y-%m-%d}.json"
    return JsonResponse(
        document(user, current_id),
        json_dumps_params={"indent": 2, "ensure_ascii": False},
        headers={"Content-Disposition": content_disposition_header(True, name)},
    )


def _account(user: User) -> Document:
    return {
        "id": str(user.pk),
        "username": user.username,
        "email": user.email,
        "email_confirmed_at": _time(user.email_verified_at),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "language": user.language,
        "time_zone": user.time_zone,
        "joined_at": _time(user.date_joined),
        "signed_in_at": _time(user.last_login),
        "deletion_due_at": _time(user.deletion_due_at),
        "reuse_unanswered": user.reuse_unanswered,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": sorted(group.name for group in user.groups.using(router.db_for_write(User))),
    }


def _session(row: RefreshToken) -> Document:
    over = not row.is_live
    return {
        "id": str(row.pk),
        "name": row.name,
        "ip_address": row.ip_address,
        "user_agent": row.user_agent,
        "device": str(describe(row.user_agent)),
        "opened": row.method,
        "remember": row.remember,
        "created_at": _time(row.created_at),
        "last_used_at": _time(row.last_used_at),
        "authenticated_at": _time(row.authenticated_at),
        "bound_at": _time(row.bound_at if row.bound_proved_at else None),
        "bound_proved_at": _time(row.bound_proved_at),
        "expires_at": _time(row.expires_at),
        "ended_at": _time(row.revoked_at or row.expires_at) if over else None,
        "reason": (row.reason or RefreshToken.Reason.EXPIRED) if over else "",
    }


def _event(event: SecurityEvent) -> Document:
    """Return the event without revealing where an administrator was who did something to the account."""
    by_administrator = event.actor_id is not None
    return {
        "created_at": _time(event.created_at),
        "kind": event.kind,
        "what": event.get_kind_display(),
        "by_administrator": by_administrator,
        "ip_address": None if by_administrator else event.ip_address,
        "user_agent": "" if by_administrator else event.user_agent,
        "device": "" if by_administrator else str(event.device),
        "session_id": str(event.session_id) if event.session_id else None,
        "method": event.method,
    }


def _email_verification(verification: EmailVerification) -> Document:
    return {
        "email": verification.email,
        "previous_email": verification.previous_email,
        "previous_username": verification.previous_username,
        "requested_at": _time(verification.requested_at),
        "refused_at": _time(verification.refused_at),
        "confirmed_at": _time(verification.confirmed_at),
        "undone_at": _time(verification.undone_at),
    }


def _passkey(passkey: Passkey) -> Document:
    return {
        "name": passkey.name,
        "synced": passkey.backup_eligible,
        "added_at": _time(passkey.created_at),
        "last_used_at": _time(passkey.last_used_at),
    }


def _authenticator(app: Authenticator) -> Document:
    return {"added_at": _time(app.confirmed_at), "last_used_at": _time(app.last_used_at)}


def _identity(identity: Identity) -> Document:
    return {
        "provider": identity.provider,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "email": identity.email,
        "added_at": _time(identity.created_at),
        "last_used_at": _time(identity.last_used_at),
    }


def _recovery_code(code: RecoveryCode) -> Document:
    return {"created_at": _time(code.created_at), "used_at": _time(code.used_at)}


def _trusted_browser(browser: TrustedBrowser) -> Document:
    return {
        "device": str(browser.device),
        "user_agent": browser.user_agent,
        "ip_address": browser.ip_address,
        "trusted_at": _time(browser.created_at),
        "last_used_at": _time(browser.last_used_at),
        "expires_at": _time(browser.expires_at),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None

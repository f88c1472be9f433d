"""What the site knows of a person, as one document that they can take along; docs/reference/accounts.md describes it.

Nothing in it lets anybody in: no password's hash, and of a session no token and no id of one.
"""

from datetime import datetime
from uuid import UUID

from django.http import JsonResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from accounts.account.user_agents import describe
from accounts.models import EmailVerification, SecurityEvent, User
from tokens.models import RefreshToken

FORMAT = "sojourn-account"
VERSION = 1  # another one if a member goes or changes its meaning; new members may come

Document = dict[str, object]


def document(user: User, here: UUID | None = None) -> Document:
    """Everything of `user`, in four queries; `here` is the id of the session that asks. Times are ISO 8601, in UTC."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "created_at": _time(timezone.now()),
        "account": _account(user),
        "sessions": [
            _session(row) | {"current": row.pk == here}
            for row in RefreshToken.objects.for_user(user).order_by("-started_at")
        ],
        "history": [_event(event) for event in SecurityEvent.objects.of(user)],
        "addresses": [
            _email_verification(verification)
            for verification in EmailVerification.objects.filter(user=user).order_by("-requested_at")
        ],
    }


def download(user: User, here: UUID | None = None) -> JsonResponse:
    """The document as a file to be kept."""
    name = f"sojourn-{user.username}-{timezone.now():%Y-%m-%d}.json"
    return JsonResponse(
        document(user, here),
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
        "joined_at": _time(user.date_joined),
        "signed_in_at": _time(user.last_login),
        "deletion_due_at": _time(user.deletion_due_at),
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": sorted(group.name for group in user.groups.all()),
    }


def _session(row: RefreshToken) -> Document:
    over = not row.is_live
    return {
        "id": str(row.pk),
        "name": row.name,
        "address": row.address,
        "user_agent": row.user_agent,
        "device": str(describe(row.user_agent)),
        "opened": row.method,
        "kept": row.persistent,
        "started_at": _time(row.started_at),
        "seen_at": _time(row.seen_at),
        "proved_at": _time(row.proved_at),
        "expires_at": _time(row.expires_at),
        "ended_at": _time(row.revoked_at or row.expires_at) if over else None,
        "reason": (row.reason or RefreshToken.Reason.EXPIRED) if over else "",
    }


def _event(event: SecurityEvent) -> Document:
    """Where an administrator was who did something to the account is for nobody to take along."""
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
    }


def _email_verification(verification: EmailVerification) -> Document:
    return {
        "email": verification.email,
        "previous_email": verification.previous_email,
        "previous_username": verification.previous_username,
        "requested_at": _time(verification.requested_at),
        "confirmed_at": _time(verification.confirmed_at),
        "undone_at": _time(verification.undone_at),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None

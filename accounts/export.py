"""What the site knows of a person, as one document that they can take along; docs/account.md describes it.

Nothing in it lets anybody in: no password's hash, and of a session no token and no id of one.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import JsonResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from accounts.devices import describe
from accounts.models import AddressProof, SecurityEvent, User
from tokens.models import RefreshToken

FORMAT = "sojourn-account"
VERSION = 1  # another one if a member goes or changes its meaning; new members may come

Document = dict[str, Any]


def document(user: User, here: UUID | None = None) -> Document:
    """Everything of `user`, in four queries; `here` is the id of the session that asks. Times are ISO 8601, in UTC."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_at": _time(timezone.now()),
        "account": _account(user),
        "sessions": [
            _session(row) | {"current": row.pk == here}
            for row in RefreshToken.objects.for_user(user).order_by("-created_at")
        ],
        "history": [_event(event) for event in SecurityEvent.objects.of(user)],
        "addresses": [_address(proof) for proof in AddressProof.objects.filter(user=user).order_by("-asked_at")],
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
        "id": user.pk,
        "username": user.username,
        "email": user.email,
        "email_confirmed_at": _time(user.verified_at),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "language": user.language,
        "joined_at": _time(user.date_joined),
        "signed_in_at": _time(user.last_login),
        "leaving_at": _time(user.leaving_at),
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "groups": sorted(group.name for group in user.groups.all()),
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
        "expires_at": _time(row.expires_at),
        "ended_at": _time(row.revoked_at or row.expires_at) if over else None,
        "reason": (row.reason or RefreshToken.Reason.EXPIRED) if over else "",
    }


def _event(event: SecurityEvent) -> Document:
    """Where an administrator was who did something to the account is for nobody to take along."""
    by_others = event.by_id is not None
    return {
        "at": _time(event.at),
        "kind": event.kind,
        "what": event.get_kind_display(),
        "by_administrator": by_others,
        "address": None if by_others else event.address,
        "user_agent": "" if by_others else event.user_agent,
        "device": "" if by_others else str(event.device),
        "session": str(event.session) if event.session else None,
    }


def _address(proof: AddressProof) -> Document:
    return {
        "address": proof.address,
        "previous": proof.previous,
        "asked_at": _time(proof.asked_at),
        "confirmed_at": _time(proof.confirmed_at),
        "undone_at": _time(proof.undone_at),
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None

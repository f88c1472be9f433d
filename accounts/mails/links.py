"""Recognise the links of mails: each is for a row, by a token that is derived from it and stored nowhere."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db.models import Model, QuerySet
from django.utils.crypto import constant_time_compare

from accounts.models import User

Secret = str | bytes
Row = TypeVar("Row", bound=Model)


class InvalidLink(Exception):
    """Report that a link or a code has no effect: it is wrong, used, expired, tried too often or outdated."""


def matches(made: Callable[[Row, Secret], str], row: Row, given: str) -> bool:
    """Return whether `given` is what `made` derives from `row`, by SECRET_KEY or one of SECRET_KEY_FALLBACKS."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(made(row, secret), given) for secret in secrets)


def find(rows: QuerySet[Row], key: UUID, made: Callable[[Row, Secret], str], token: str) -> Row | None:
    """Return the one of `rows` that the link with this key and token is for, with its user, or None."""
    row = rows.filter(pk=key, user__is_active=True).select_related("user").first()
    return row if row and matches(made, row, token) else None


def lock(rows: QuerySet[Row], key: UUID) -> tuple[Row, User]:
    """Return the one of `rows` with this key, and its user, locked and as stored in the table. Raise InvalidLink.

    On SQLite the transaction itself is the lock: it began as one that writes.
    """
    owner = rows.model._default_manager.filter(pk=key).values("user_id")
    user = User.objects.filter(pk__in=owner, is_active=True).select_for_update().first()
    row = rows.filter(pk=key).first()
    if user is None or row is None:
        raise InvalidLink
    row.user = user  # type: ignore[attr-defined]
    return row, user

"""The places of sessions in the status list (`tokens.contrib.status_list` publishes it)."""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from ..conf import conf

STATUS_CANDIDATES = 32  # in a list that is half full, one sign-in in four thousand million goes without an index
STATUS_MARGIN = 300  # seconds beyond an access lifetime that an ended session is listed: clocks differ

logger = logging.getLogger("tokens")


def free_status_index(rows: models.QuerySet[Any], user: AbstractBaseUser) -> int | None:
    """Return an index of the status list that no session among `rows` holds; None if there is none for `user`.

    The index is random, so that neighbours learn nothing of the number and the order of sign-ins. What is over gives
    its index back, when no list that says so can be in use. Nobody holds more than three times TOKENS_MAX_SESSIONS.
    """
    candidates = [secrets.randbelow(conf.status_list) for _ in range(STATUS_CANDIDATES)]
    is_over = _is_over()
    if rows.filter(user=user, status_index__isnull=False).exclude(is_over).count() >= 3 * conf.max_sessions:
        return None
    drawn = rows.filter(status_index__in=candidates).annotate(is_over=is_over)
    holders = dict(drawn.values_list("status_index", "is_over"))
    for index in candidates:
        if index not in holders:
            return index
    for index in candidates:
        if holders[index]:
            rows.filter(status_index=index).update(status_index=None)
            return index
    logger.warning("The status list is too full for a new session: raise TOKENS_STATUS_LIST.")
    return None


def used_share(rows: models.QuerySet[Any]) -> float:
    """Return which share of the status list the sessions among `rows` hold, from 0 to 1."""
    return rows.filter(status_index__lt=conf.status_list).exclude(_is_over()).count() / conf.status_list


def _is_over() -> Q:
    """Return the condition for rows that give their index back."""
    since = Now() - timedelta(seconds=2 * conf.access_lifetime + STATUS_MARGIN)
    ended_with_all = Q(created_at__lte=F("all_ended_at"), all_ended_at__lt=since)
    return Q(revoked_at__isnull=False, changed_at__lt=since) | Q(expires_at__lt=since) | ended_with_all

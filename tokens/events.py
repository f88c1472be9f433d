"""The outcomes of the rule, each with one message for the log and one signal, so that they can be counted."""

from __future__ import annotations

import logging
from enum import StrEnum

from .signals import token_event

logger = logging.getLogger("tokens")


class TokenEvent(StrEnum):
    """What happened to the tokens of a request."""

    CHILD = "child"
    KEPT = "kept"
    CONFIRMED_BY_REFRESH = "confirmed_by_refresh"
    CONFIRMED_BY_ACCESS = "confirmed_by_access"
    BEHIND = "behind"
    LATE = "late"
    PROBED = "probed"
    ANSWERED = "answered"
    REUSED = "reused"
    DEAD = "dead"


MESSAGES = {
    TokenEvent.CHILD: (logging.DEBUG, "A child was handed out."),
    TokenEvent.KEPT: (logging.DEBUG, "A young refresh token was kept."),
    TokenEvent.CONFIRMED_BY_REFRESH: (logging.DEBUG, "A refresh token was confirmed by its use."),
    TokenEvent.CONFIRMED_BY_ACCESS: (logging.DEBUG, "A refresh token was confirmed by its access token."),
    TokenEvent.BEHIND: (logging.WARNING, "The database was behind a refresh token: it has lost writes."),
    TokenEvent.LATE: (logging.INFO, "A response left too late to set its cookies."),
    TokenEvent.PROBED: (logging.INFO, "A stale refresh token was probed."),
    TokenEvent.ANSWERED: (logging.INFO, "A probe was answered by something newer."),
    TokenEvent.REUSED: (logging.WARNING, "A stale refresh token was used again: somebody has a copy."),
    TokenEvent.DEAD: (logging.INFO, "A token of an ended session was presented."),
}


def record(event: TokenEvent, sid: str, reason: str = "") -> None:
    """Log `event` for the row `sid` and tell the site; `reason` says why a row is dead."""
    level, message = MESSAGES[event]
    logger.log(level, message, extra={"token_event": event.value, "sid": sid, "reason": reason})
    token_event.send_robust(TokenEvent, event=event.value, sid=sid, reason=reason)

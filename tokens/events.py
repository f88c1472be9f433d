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
    REGISTERED = "registered"
    PROVEN = "proven"
    PROOF_REFUSED = "proof_refused"
    PROOF_SKIPPED = "proof_skipped"
    UNPROVEN = "unproven"


class Refusal(StrEnum):
    """Why a proof of a device's key is refused."""

    KEY = "key"  # not signed by that key, or not a proof at all
    CHALLENGE = "challenge"  # not ours, for another session, or too old
    USED = "used"  # it was good once


class Skip(StrEnum):
    """Why a browser says that it has not proven its key: a word of Chromium's, or any other."""

    QUOTA = "quota_exceeded"
    SERVER = "server_error"
    UNREACHABLE = "unreachable"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Skip:
        return cls.OTHER


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
    TokenEvent.REGISTERED: (logging.DEBUG, "A browser registered a key of its device."),
    TokenEvent.PROVEN: (logging.DEBUG, "A browser proved possession of its device's key."),
    TokenEvent.PROOF_REFUSED: (logging.INFO, "A proof of a device's key was refused."),
    TokenEvent.PROOF_SKIPPED: (logging.INFO, "A browser says that it cannot prove its device's key right now."),
    TokenEvent.UNPROVEN: (logging.WARNING, "A token of a bound session came without proof, asked for in vain."),
}


def record(event: TokenEvent, sid: str, reason: str = "") -> None:
    """Log `event` for the row `sid` and tell the site; `reason` says why a row is dead, or there is no good proof."""
    level, message = MESSAGES[event]
    logger.log(level, message, extra={"token_event": event.value, "sid": sid, "reason": reason})
    token_event.send_robust(TokenEvent, event=event.value, sid=sid, reason=reason)

"""The branches of the rule, each with one sentence for the log and one signal, so that they can be counted."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

from .signals import branch_taken

logger = logging.getLogger("tokens")


class Branch(StrEnum):
    """What became of tokens that came along."""

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


SENTENCES = {
    Branch.CHILD: (logging.DEBUG, "A child was handed out."),
    Branch.KEPT: (logging.DEBUG, "A young refresh token was kept."),
    Branch.CONFIRMED_BY_REFRESH: (logging.DEBUG, "A refresh token was confirmed by its use."),
    Branch.CONFIRMED_BY_ACCESS: (logging.DEBUG, "A refresh token was confirmed by its access token."),
    Branch.BEHIND: (logging.WARNING, "The database was behind a refresh token: it has lost writes."),
    Branch.LATE: (logging.INFO, "A response left too late for its cookies."),
    Branch.PROBED: (logging.INFO, "A stale refresh token was probed."),
    Branch.ANSWERED: (logging.INFO, "A probe was answered by something newer."),
    Branch.REUSED: (logging.WARNING, "A stale refresh token was used again: a copy is about."),
    Branch.DEAD: (logging.INFO, "A sign-in that is over was shown."),
}


def take(branch: Branch, sid: str, reason: str = "") -> None:
    """Logs `branch` for the row `sid` and tells the site; `reason` says why a row is dead."""
    level, sentence = SENTENCES[branch]
    about: dict[str, Any] = {"branch": branch.value, "sid": sid, "reason": reason}
    logger.log(level, sentence, extra=about)
    branch_taken.send_robust(Branch, **about)

"""The rule of rotation: what an authentic token is worth, compared with what the row has confirmed.

A refresh hands out a child and changes no row. Parallel requests each get a child of their own, *siblings*; the
browser's jar settles on one of them. The one it settled on is confirmed when it is used at least `confirm_after`
seconds after it was made. Until then the parent stays good, so that a lost response, a retry or a burst costs nobody
their session. From then on the parent and every other sibling are dead, and whoever shows one holds an old copy.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum
from uuid import UUID


class Outcome(Enum):
    """What to do for the bearer of a refresh token."""

    CHILD = "child"  # hand out a child
    KEEP = "keep"  # issue a new access token for this same refresh token
    CONFIRM = "confirm"  # confirm it, then hand out a child
    BEHIND = "behind"  # the same, but the row is behind by more than one: the database lost writes
    STALE = "stale"  # something newer has been confirmed


class AccessOutcome(Enum):
    """What to do for the bearer of an access token that has not expired."""

    ACCEPT = "accept"  # accept it as it is
    CONFIRM = "confirm"  # confirm its generation, then issue it again without `new`
    ASK_ROW = "ask_row"  # read the row and decide once more
    EXPIRED = "expired"  # treat it as expired: another generation may have been confirmed


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh token of a family: the one that a row has confirmed, or the one that is presented."""

    generation: int
    jti: str


def decide(row: Refresh, presented: Refresh, now: float, confirm_after: float) -> Outcome:
    """Return the outcome for `presented`, an authentic, unexpired token of a live row that has confirmed `row`.

    `now` is in seconds since the epoch, `confirm_after` in seconds.
    """
    if presented == row:
        return Outcome.CHILD
    if presented.generation <= row.generation:
        return Outcome.STALE
    if not settled(presented.jti, now, confirm_after):
        return Outcome.KEEP
    return Outcome.CONFIRM if presented.generation == row.generation + 1 else Outcome.BEHIND


def decide_access(
    row: Refresh | None, born_with: Refresh, *, new: bool, beside: str | None, now: float, confirm_after: float
) -> AccessOutcome:
    """Return the outcome for an access token that was issued together with the refresh token `born_with`.

    `new` says that its generation is unconfirmed. `beside` is the `jti` of the refresh token that was sent along:
    None if there was none, "" if that one is not valid. `row` is what the row has confirmed, None if it was not read.
    """
    if not new or not settled(born_with.jti, now, confirm_after):
        return AccessOutcome.ACCEPT
    if beside is not None:
        return AccessOutcome.CONFIRM if beside == born_with.jti else AccessOutcome.EXPIRED
    if row is None:  # a client without a jar, so nothing can have settled: the row is read, and nothing is written
        return AccessOutcome.ASK_ROW
    accepted = row == born_with or row.generation == born_with.generation - 1
    return AccessOutcome.ACCEPT if accepted else AccessOutcome.EXPIRED


def settled(jti: str, now: float, confirm_after: float) -> bool:
    """Return whether the refresh token `jti` is old enough for a jar that still sends it to have settled on it."""
    return now - born_at(jti) >= confirm_after


def new_jti(now: float) -> str:
    """Return the id of a refresh token made at `now`: a UUIDv7 (RFC 9562 §5.7), which is not a secret.

    `iat` counts whole seconds; the id tells the moment of birth to the millisecond, which short lifetimes need.
    """
    random = secrets.randbits(74)
    fields = int(now * 1000) << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return str(UUID(int=fields))


def born_at(jti: str) -> float:
    """Return when the refresh token `jti` was made, in seconds since the epoch."""
    return (UUID(jti).int >> 80) / 1000

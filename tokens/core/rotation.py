"""The rule of rotation: what an authentic refresh token is worth, beside what the row has confirmed.

A refresh hands out a child and moves nothing. Requests in parallel each get a child of their own, *siblings*;
the browser's jar settles on one of them. The one it settled on is confirmed when it is used at least
`confirm_after` seconds after it was made. Until then the parent stays good, so that a lost response, a retry or
a burst costs nobody their sign-in. From then on the parent and every other sibling are dead, and whoever shows
one of them holds an old copy.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum
from uuid import UUID


class Outcome(Enum):
    """What is to be done for the bearer of a refresh token."""

    CHILD = "child"  # hand out a child
    KEEP = "keep"  # a new access token for this same refresh token
    CONFIRM = "confirm"  # confirm it, then hand out a child
    BEHIND = "behind"  # the same, but the row is behind by more than one: the database lost writes
    STALE = "stale"  # something newer has been confirmed


@dataclass(frozen=True, slots=True)
class Refresh:
    """One refresh token of a family: the one that a row has confirmed, or the one that is shown."""

    generation: int
    jti: str


def decide(row: Refresh, presented: Refresh, now: float, confirm_after: float) -> Outcome:
    """The outcome for `presented`, an authentic and unexpired token of a live row that has confirmed `row`.

    `now` is in seconds since the epoch, `confirm_after` in seconds.
    """
    if presented == row:
        return Outcome.CHILD
    if presented.generation <= row.generation:
        return Outcome.STALE
    if not settled(presented.jti, now, confirm_after):
        return Outcome.KEEP
    return Outcome.CONFIRM if presented.generation == row.generation + 1 else Outcome.BEHIND


def settled(jti: str, now: float, confirm_after: float) -> bool:
    """Whether the refresh token `jti` is old enough for a jar that still shows it to have settled on it."""
    return now - born_at(jti) >= confirm_after


def new_jti(now: float) -> str:
    """The id of a refresh token made at `now`: a UUIDv7 (RFC 9562 §5.7), no secret.

    `iat` counts whole seconds; the id tells the moment of birth to the millisecond, which short lifetimes need.
    """
    random = secrets.randbits(74)
    fields = int(now * 1000) << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return str(UUID(int=fields))


def born_at(jti: str) -> float:
    """When the refresh token `jti` was made, in seconds since the epoch."""
    return (UUID(jti).int >> 80) / 1000

"""Store the sessions."""

from .old_sessions import OldSessions
from .querysets import KEPT_AFTER_END, PEOPLE_AT_ONCE, RefreshTokenManager, RefreshTokenQuerySet, expiry
from .refresh_token import MAX_PROBES, RefreshToken

__all__ = [
    "KEPT_AFTER_END",
    "MAX_PROBES",
    "PEOPLE_AT_ONCE",
    "OldSessions",
    "RefreshToken",
    "RefreshTokenManager",
    "RefreshTokenQuerySet",
    "expiry",
]

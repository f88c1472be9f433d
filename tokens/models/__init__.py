"""Store the sessions."""

from .end_of_all import EndOfAll
from .old_sessions import OldSessions
from .querysets import KEPT_AFTER_END, PEOPLE_AT_ONCE, RefreshTokenManager, RefreshTokenQuerySet, expiry, is_live
from .refresh_token import MAX_PROBES, RefreshToken

__all__ = [
    "KEPT_AFTER_END",
    "MAX_PROBES",
    "PEOPLE_AT_ONCE",
    "EndOfAll",
    "OldSessions",
    "RefreshToken",
    "RefreshTokenManager",
    "RefreshTokenQuerySet",
    "expiry",
    "is_live",
]

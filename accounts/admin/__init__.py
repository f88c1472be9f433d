"""Register what administrators see, and what they may do."""

from accounts.admin import events, groups, sessions, users

__all__ = ["events", "groups", "sessions", "users"]

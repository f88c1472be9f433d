"""What administrators see, and what they may do."""

from accounts.admin import groups, history, people, sessions

__all__ = ["groups", "history", "people", "sessions"]

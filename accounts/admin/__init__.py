"""What administrators see, and what they may do."""

from accounts.admin import history, people, sessions

__all__ = ["history", "people", "sessions"]

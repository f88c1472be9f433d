from accounts.models.event import SecurityEvent
from accounts.models.user import User

__all__ = ["SecurityEvent", "User"]

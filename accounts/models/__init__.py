from accounts.models.address import AddressProof
from accounts.models.event import SecurityEvent
from accounts.models.mail import OutgoingMail
from accounts.models.user import User

__all__ = ["AddressProof", "OutgoingMail", "SecurityEvent", "User"]

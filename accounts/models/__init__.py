"""Collect the models, which Django looks for in this package."""

from accounts.models.email_verification import EmailVerification
from accounts.models.factors import (
    Attempt,
    Authenticator,
    FactorRemoval,
    FactorSettings,
    Passkey,
    RecoveryCode,
    TrustedBrowser,
)
from accounts.models.outgoing_mail import OutgoingMail
from accounts.models.providers import Identity, ProviderFlow
from accounts.models.security_event import SecurityEvent
from accounts.models.user import User

__all__ = [
    "Attempt",
    "Authenticator",
    "EmailVerification",
    "FactorRemoval",
    "FactorSettings",
    "Identity",
    "OutgoingMail",
    "Passkey",
    "ProviderFlow",
    "RecoveryCode",
    "SecurityEvent",
    "TrustedBrowser",
    "User",
]

"""Take the codes that people type: of an authenticator app, or a recovery code."""

from django.db import transaction

from accounts.factors import failures, recovery_codes, totp
from accounts.mails import outbox
from accounts.models import Authenticator, SecurityEvent, User
from accounts.security import limits, throttle
from accounts.security.normalization import normalize_code
from accounts.types import Request

Kind = SecurityEvent.Kind
OTP = "otp"  # RFC 8176, for recovery codes too: it has nothing closer


def is_code(given: str) -> bool:
    """Return whether `given` may be a code of either kind; whatever else was typed costs no try."""
    digits = normalize_code(given)
    return (len(digits) == totp.DIGITS and digits.isdecimal()) or recovery_codes.looks_like(given)


def has_any(user: User) -> bool:
    """Return whether `user` has an app or recovery codes."""
    return Authenticator.objects.filter(user=user).exists() or recovery_codes.left(user) > 0


def count(request: Request, user: User, given: str) -> None:
    """Count a try at `user` before it is made. Raise Throttled."""
    throttle.hit(request, _limit(given), user)


def spend(request: Request, user: User, given: str) -> bool:
    """Use up a code of `user`; return whether it was right and unused. The user is told of each recovery code."""
    recovery = recovery_codes.looks_like(given)
    if not (recovery_codes.spend(user, given) if recovery else totp.spend(user, given)):
        failures.record(request, user)
        return False
    throttle.reset(request, _limit(given), user)
    if recovery:
        with transaction.atomic():
            SecurityEvent.objects.record(request, user, Kind.RECOVERY_CODE_USED)
            outbox.enqueue("recovery_code_used", user, request, left=recovery_codes.left(user))
    return True


def _limit(given: str) -> limits.Limit:
    return limits.RECOVERY_CODE if recovery_codes.looks_like(given) else limits.SECOND_FACTOR

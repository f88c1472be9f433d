"""Add and remove second factors. Each change leaves an event and a mail, and commits with them or not at all."""

from django.db import transaction
from django.utils import timezone

from accounts.factors import policy, recovery_codes, removal, totp
from accounts.mails import alerts
from accounts.models import SecurityEvent, User
from accounts.models.factors import Authenticator, FactorSettings, Passkey, TrustedBrowser
from accounts.types import Request
from tokens import users
from tokens.models import RefreshToken, locks

Kind = SecurityEvent.Kind


def add_authenticator(request: Request, secret: str, counter: int) -> bool:
    """Store the secret of the app that has just made the code of `counter`; return whether it is the first factor.

    An app that was set up before is replaced.
    """
    with transaction.atomic():
        lock(request)
        first = not policy.has_factor(request.user)
        values = {"secret": totp.encrypt(secret), "last_counter": counter, "last_used_at": None}
        Authenticator.objects.update_or_create(user=request.user, defaults={**values, "confirmed_at": timezone.now()})
        after_adding(request, Kind.AUTHENTICATOR_ADDED, "otp", first=first)
    return first


def remove_authenticator(request: Request) -> bool:
    """Remove the app; return whether there was one."""
    with transaction.atomic():
        lock(request)
        if not Authenticator.objects.filter(user=request.user).delete()[0]:
            return False
        after_removing(request, Kind.AUTHENTICATOR_REMOVED)
    return True


def lock(request: Request) -> None:
    """Lock the user, for whatever changes their factors. Raise UserVanished if this session has ended by then."""
    locks.lock_for_update(request.user.pk)
    if not RefreshToken.objects.is_live(str(request.tokens.session_id)):
        raise users.UserVanished("The session has ended.")


def renew_recovery_codes(request: Request) -> list[str]:
    """Replace the recovery codes and return the new ones."""

    def lock_and_record() -> None:
        lock(request)
        record_and_notify(request, Kind.RECOVERY_CODES_RENEWED)

    return recovery_codes.renew(request.user, lock_and_record)


def after_adding(request: Request, kind: SecurityEvent.Kind, *amr: str, first: bool, unasked: bool = False) -> None:
    """Do what follows from a new factor, in its transaction: with the first one all other sessions end.

    This one goes on: its user has confirmed their password, and shown the factor, unless the browser made it unasked.
    """
    if first:
        current = request.tokens.session_id
        RefreshToken.objects.revoke_for([request.user], RefreshToken.Reason.FACTORS, keeping=current)
        FactorSettings.objects.update_or_create(user=request.user, defaults={"protected_since": timezone.now()})
    removal.drop(request, request.user)
    if not unasked:
        request.tokens.mark_reauthenticated((*amr, policy.MULTI_FACTOR))
    record_and_notify(request, kind, unasked=unasked)


def after_removing(request: Request, kind: SecurityEvent.Kind) -> None:
    """Do what follows from a removal, in its transaction: what is of no use without a factor goes with the last one."""
    if not policy.has_factor(request.user):
        removal.forget_rest(request.user)
        removal.drop(request, request.user)
    record_and_notify(request, kind)


def record_and_notify(request: Request, kind: SecurityEvent.Kind, *, unasked: bool = False, provider: str = "") -> None:
    """Leave an event of this change of the user's factors, and a mail.

    Both name the `provider` that it is about; the mail says if the browser has made it.
    """
    session_id = request.tokens.session_id
    SecurityEvent.objects.record(request, request.user, kind, session_id=session_id, method=provider)
    alerts.notify_all("factors_changed", request.user, request, change=str(kind), unasked=unasked, provider=provider)


def overview(user: User) -> dict[str, object]:
    """Return what the page about security shows of the factors of `user`."""
    return {
        "passkeys": list(Passkey.objects.filter(user=user)),
        "authenticator": Authenticator.objects.filter(user=user).first(),
        "must_enrol": policy.must_enrol(user),
        "codes_left": recovery_codes.left(user),
        "trusted_browsers": list(TrustedBrowser.objects.trusted_by(user)),
    }

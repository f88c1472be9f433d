"""Remove the second factors of whoever can show none of them any more, after a time in which the owner can object.

It is asked for with the password and by a link to the confirmed email, or by an administrator. A thief may have both,
so every email of the account is told at once and each day, the sign-in and a banner say so, and any session and any of
the mails cancels it. All of it happens under the lock of the user, and the row decides: cancelling wins until they are
gone.

But a thief who knew the password may have added the first factor. So if it is less than a week old, only the mails
cancel the removal, the email stays meanwhile, and in the end no password is left either but one that was chosen by mail
since, and no provider but those that know the owner of the email: the mailbox wins.
"""

from datetime import datetime
from secrets import token_urlsafe
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.http import urlsafe_base64_encode

from accounts.factors import policy
from accounts.mails import alerts, outbox
from accounts.mails.links import InvalidLink, Secret, find, lock, matches
from accounts.models import (
    Authenticator,
    FactorRemoval,
    FactorSettings,
    Identity,
    Passkey,
    RecoveryCode,
    SecurityEvent,
    TrustedBrowser,
    User,
)
from accounts.models.email_verification import UNDO_LIFETIME
from tokens.models import RefreshToken, locks

Kind = SecurityEvent.Kind
_SALT = "accounts.factors.removal"


def ask(request: HttpRequest, user: User) -> None:
    """Write to `user`, who has just given their password, with the link that starts the removal.

    Nothing happens if it has been started, or if nobody has confirmed the email: then its mailbox proves nothing.
    """
    with transaction.atomic():
        if locks.lock_for_update(user.pk) is None or user.email_verified_at is None:
            return
        removal, _ = FactorRemoval.objects.get_or_create(user=user)
        if FactorRemoval.objects.filter(pk=removal.pk).restart():
            SecurityEvent.objects.record(request, user, Kind.FACTOR_REMOVAL_ASKED)
            outbox.enqueue("factor_removal_confirm", user, request, removal=str(removal.pk))


def pending(user: User) -> FactorRemoval | None:
    """Return the removal that has been started for `user`, or None."""
    return FactorRemoval.objects.started().filter(user=user).first()


def only_mail_cancels(user: User) -> bool:
    """Return whether a removal has been started for `user` that no session cancels, nor may move to another mailbox."""
    return FactorRemoval.objects.started().filter(user=user, only_mail_cancels=True).exists()


def find_to_start(key: UUID, token: str) -> FactorRemoval | None:
    """Return the removal that this link starts, even if it can't any more, or None."""
    return find(FactorRemoval.objects.all(), key, start_token, token)


def start(request: HttpRequest, key: UUID, token: str) -> FactorRemoval:
    """Start the delay by the link. Raise InvalidLink; then nothing has changed."""
    with transaction.atomic():
        removal, user = lock(FactorRemoval.objects.all(), key)
        right = removal.is_open and user.email_verified_at and matches(start_token, removal, token)
        if not right or not _start(request, user, removal):
            raise InvalidLink
    removal.refresh_from_db(removal._state.db, ["due_at", "only_mail_cancels"])
    return removal


def start_by_admin(request: HttpRequest, user: User) -> bool:
    """Start the delay for `user`; return whether they have factors, and it had not been started."""
    with transaction.atomic():
        if locks.lock_for_update(user.pk) is None or not policy.has_factor(user):
            return False
        removal, _ = FactorRemoval.objects.get_or_create(user=user)
        assert isinstance(request.user, User)  # noqa: S101  (AUTH_USER_MODEL)
        return _start(request, user, removal, actor=request.user)


def find_to_cancel(key: UUID, token: str) -> FactorRemoval | None:
    """Return the removal that this link cancels, or None if there is none any more."""
    return find(FactorRemoval.objects.all(), key, cancel_token, token)


def cancel_by_link(request: HttpRequest, key: UUID, token: str) -> User:
    """Keep the factors, and return whose. Raise InvalidLink."""
    with transaction.atomic():
        removal, user = lock(FactorRemoval.objects.all(), key)
        if not matches(cancel_token, removal, token) or not _cancel(request, user, removal):
            raise InvalidLink
    return user


def cancel(request: HttpRequest, user: User) -> bool:
    """Keep the factors of `user` for a session; return whether it could cancel their removal, and was in time."""
    with transaction.atomic():
        locks.lock_for_update(user.pk)
        return _cancel(request, user, FactorRemoval.objects.started().by_session().filter(user=user).first())


def withdraw(request: HttpRequest, user: User) -> bool:
    """Delete what was asked for by the password of `user`, who is locked and has another one by now.

    Return whether a removal had been started. One that only the mails cancel goes on: by the time that it was asked for
    once more, a session might cancel it.
    """
    return _delete(request, user, FactorRemoval.objects.by_session().filter(user=user, actor=None).first())


def drop(request: HttpRequest, user: User) -> None:
    """Cancel the removal for `user`, who is locked and has just added a factor or removed the last.

    It would be of those that they add from now on.
    """
    _delete(request, user, FactorRemoval.objects.by_session().filter(user=user).first())


def withdraw_all() -> int:
    """Delete what was asked for by anybody; return how many had been started."""
    started = FactorRemoval.objects.started().count()
    FactorRemoval.objects.all().delete()
    User.objects.filter(factors_leaving=True).update(factors_leaving=False)
    return started


def remind(removal: FactorRemoval) -> bool:
    """Tell the user of `removal` again, if it is time to; return whether it was."""
    with transaction.atomic():
        user = locks.lock_for_update(removal.user_id)
        reminded = FactorRemoval.objects.filter(pk=removal.pk).remind()
        if reminded and isinstance(user, User):
            _notify(None, user, removal)
    return reminded


def carry_out(key: UUID) -> bool:
    """Remove the factors of the user with this key, and end their sessions, if nobody has objected in time.

    Return whether that was so.
    """
    removals = FactorRemoval.objects.due().filter(user_id=key)
    removal = removals.first()
    if removal is None:
        return False
    closed = User()
    if closes := removal.only_mail_cancels and not _has_reset_since(key, removal.requested_at):
        closed.set_password(token_urlsafe())  # hashing is slow, so it comes before the lock
    with transaction.atomic():
        user = locks.lock_for_update(key)
        if not removals.delete()[0]:
            return False
        if isinstance(user, User):
            for rows in (Passkey.objects, Authenticator.objects):
                rows.filter(user=user).delete()
            forget_rest(user)
            _set_leaving(user, False)
            if removal.only_mail_cancels:
                remove_other_providers(None, user)
            if closes and user.can_reset_password:
                user.copy_password(closed)
                user.save(update_fields=["password"])
            RefreshToken.objects.revoke_for([user], RefreshToken.Reason.FACTORS)
            SecurityEvent.objects.record(None, user, Kind.FACTORS_REMOVED)
            alerts.notify_all("factors_changed", user, change=str(Kind.FACTORS_REMOVED))
    return True


def remove_recent(request: HttpRequest, user: User, changed_at: datetime) -> bool:
    """Remove what somebody may have added who could ask at `changed_at` for another email of `user`, who is locked.

    Return whether there was anything. A thief may add a factor before they change the email, so what was added in the
    days before goes as well, for as many as the change can be undone. It stays if it has replaced all factors of an
    account that had some before those days: then it took one of them to add it, and the mailbox alone must not do.
    """
    moment = changed_at - UNDO_LIFETIME
    if _had_other_factors(user, moment):
        moment = changed_at
    added = (
        Passkey.objects.filter(user=user, created_at__gte=moment),
        Authenticator.objects.filter(user=user, confirmed_at__gte=moment),
        RecoveryCode.objects.filter(user=user, created_at__gte=moment),
        TrustedBrowser.objects.filter(user=user, created_at__gte=moment),
    )
    removed = sum(rows.delete()[0] for rows in added)
    if removed:
        if not policy.has_factor(user):
            forget_rest(user)
            _delete(request, user, FactorRemoval.objects.filter(user=user).first())
        SecurityEvent.objects.record(request, user, Kind.FACTORS_REMOVED)
    return removed > 0


def remove_other_providers(request: HttpRequest | None, user: User) -> list[str]:
    """Remove the ways in by a provider, but those that prove the email of `user` as a mail does; return what it was.

    They may be those of a stranger who had signed up with the email of somebody else, or who knew the password.
    """
    others = Identity.objects.filter(user=user).exclude(owns_email=True, email__iexact=user.email)
    for identity in others:
        SecurityEvent.objects.record(request, user, SecurityEvent.Kind.PROVIDER_REMOVED, method=identity.provider)
    return ["providers"] if others.delete()[0] else []


def forget_rest(user: User) -> None:
    """Delete what is of no use to somebody without a factor."""
    RecoveryCode.objects.filter(user=user).delete()
    TrustedBrowser.objects.filter(user=user).delete()


def start_token(removal: FactorRemoval, secret: Secret | None = None) -> str:
    """Return 256 bits for the link that starts the removal; they depend on the password and the email of the user."""
    return _derived("start", f"{removal.pk}\n{removal.user.password_version}\n{removal.user.email}", secret)


def cancel_token(removal: FactorRemoval, secret: Secret | None = None) -> str:
    """Return 256 bits for the link that cancels the removal, which nothing but its end invalidates."""
    return _derived("cancel", str(removal.pk), secret)


def _had_other_factors(user: User, moment: datetime) -> bool:
    """Return whether `user` had factors at `moment`, none of which is left."""
    others = (
        FactorSettings.objects.filter(user=user, protected_since__gte=moment),  # they had none at all
        Passkey.objects.filter(user=user, created_at__lt=moment),
        Authenticator.objects.filter(user=user, confirmed_at__lt=moment),
    )
    return not any(rows.exists() for rows in others)


def _has_reset_since(key: UUID, moment: datetime) -> bool:
    """Return whether the user with this key has chosen their password by mail since: then it is no thief's."""
    return bool(SecurityEvent.objects.filter(user=key, kind=Kind.PASSWORD_RESET, created_at__gte=moment).exists())


def _derived(purpose: str, value: str, secret: Secret | None) -> str:
    digest = salted_hmac(f"{_SALT}.{purpose}", value, secret=secret, algorithm="sha256").digest()
    return urlsafe_base64_encode(digest)


def _start(request: HttpRequest, user: User, removal: FactorRemoval, actor: User | None = None) -> bool:
    """Start the delay and tell the user; of an administrator's mails they learn neither the browser nor the address."""
    new = FactorSettings.objects.filter(user=user, protected_since__gte=removal.requested_at - UNDO_LIFETIME)
    only_mail = user.email_verified_at is not None and new.exists()
    if not FactorRemoval.objects.filter(pk=removal.pk).start(actor, only_mail_cancels=only_mail):
        return False
    _set_leaving(user, True)
    SecurityEvent.objects.record(request, user, Kind.FACTOR_REMOVAL_STARTED, actor=actor)
    _notify(None if actor else request, user, removal)
    return True


def _cancel(request: HttpRequest, user: User, removal: FactorRemoval | None) -> bool:
    """Delete `removal`, of the locked `user`, and tell them; return whether it had been started."""
    cancelled = _delete(request, user, removal)
    if cancelled:
        alerts.notify_all("factors_changed", user, request, change=str(Kind.FACTOR_REMOVAL_CANCELLED))
    return cancelled


def _delete(request: HttpRequest, user: User, removal: FactorRemoval | None) -> bool:
    """Delete `removal`, of the locked `user`; return whether it had been started."""
    if removal is None:
        return False
    removal.delete()
    if removal.due_at is None:
        return False
    _set_leaving(user, False)
    SecurityEvent.objects.record(request, user, Kind.FACTOR_REMOVAL_CANCELLED)
    return True


def _set_leaving(user: User, leaving: bool) -> None:
    """Have the pages of `user` say whether the factors will be removed: those that read the row, which for now are all.

    It is no claim, which would make each token of everybody longer.
    """
    User.objects.filter(pk=user.pk).update(factors_leaving=leaving)
    RefreshToken.objects.bump_for([user])


def _notify(request: HttpRequest | None, user: User, removal: FactorRemoval) -> None:
    alerts.notify_all("factor_removal", user, request, removal=str(removal.pk))

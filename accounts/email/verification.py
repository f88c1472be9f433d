"""Verify emails by mail: the email of an account, and a new one before it replaces the old.

The link or the code proves access to the mailbox. Neither signs anybody in, but the view of the code does where
somebody has just signed up, and has typed the password as well.
"""

from collections.abc import Callable
from functools import partial
from secrets import token_urlsafe
from time import time
from typing import NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.account import recovery
from accounts.email.ownership import claim, find_owner
from accounts.email.tokens import code, link_token, stamp, undo_token
from accounts.factors import removal
from accounts.mails import alerts, outbox
from accounts.mails.links import InvalidLink, find, lock, matches
from accounts.models import EmailVerification, SecurityEvent, User
from accounts.models.email_verification import CODE_LIFETIME, LINK_LIFETIME, UNDO_LIFETIME
from accounts.security import limits, throttle

Kind = SecurityEvent.Kind
RESEND_PAUSE = 60  # seconds: a mail that nobody has had time to look for is not replaced by another
# Kept in the session of the browser that asked, which alone can answer by the code (ASVS 6.6.2): which verification,
# and when. The row tells when the mail left, which depends on whether the email is taken.
_SESSION_KEY = "verification"
_NO_ID = str(UUID(int=0))  # no verification has this key


class Undone(NamedTuple):
    """The result of undoing a change: the restored email, and a sentence for each request that was withdrawn."""

    email: str
    withdrawn: list[str]


def start(request: HttpRequest, user: User, email: str) -> None:
    """Ask `email`, which is the user's own or is to replace it, to confirm that it is theirs.

    This invalidates what was sent before, and lets the browser of `request` answer by the code. If another account has
    the email, only its owner is told. Asking for the same again within RESEND_PAUSE has been done already.
    """
    if seconds_to_resend(request) and _is_for(for_browser(request), user, email):
        return
    with transaction.atomic():
        EmailVerification.objects.filter(user=user).pending().delete()
        previous_email = user.email if email != user.email else ""
        verification = EmailVerification.objects.create(user=user, email=email, previous_email=previous_email)
        EmailVerification.objects.prune()
        owner = find_owner(email, other_than=user)
        if owner:
            owner.notify(request, "email_taken" if previous_email else "account_exists", verification)
        else:
            _send_link(request, verification)
        if previous_email:
            SecurityEvent.objects.record(request, user, Kind.EMAIL_CHANGE_ASKED)
    request.session[_SESSION_KEY] = [str(verification.pk), int(time())]


def seconds_to_resend(request: HttpRequest) -> int:
    """Return for how long this browser has to wait until the mail that it has asked for is sent once more."""
    return max(RESEND_PAUSE - _seconds_since(request), 0)


def correctable(request: HttpRequest) -> User | None:
    """Return whose mistyped email this browser may still correct: of the account that it has just asked for, or None.

    Nobody has ever been signed in to it, and only for the lifetime of a link: others may use the browser later.
    """
    verification = for_browser(request)
    if verification is None or request.user.is_authenticated or _seconds_since(request) > LINK_LIFETIME.seconds:
        return None
    user = verification.user
    return user if user.last_login is None and user.email_verified_at is None else None


def correct(request: HttpRequest, email: str, chosen: User | None = None) -> None:
    """Replace the email of the account that is `correctable`, and ask the new one; the account stays as it is.

    With `chosen` it gets the password of that user. Raise InvalidLink if it was confirmed, or used, this very moment.
    """
    with transaction.atomic():
        _, user = lock(EmailVerification.objects.pending(), UUID(_from_session(request)[0]))
        if user.last_login or user.email_verified_at:
            raise InvalidLink
        user.email = email
        if chosen:
            user.copy_password(chosen)
        user.save(update_fields=["email", *(["password"] if chosen else [])])
        SecurityEvent.objects.record(request, user, Kind.EMAIL_CHANGE_ASKED)
        del request.session[_SESSION_KEY]  # or it might seem to have been asked already
        start(request, user, email)


def for_browser(request: HttpRequest) -> EmailVerification | None:
    """Return the verification that this browser can answer by the code, or None if it has none of its own."""
    verification = (
        EmailVerification.objects.pending().filter(pk=_from_session(request)[0]).select_related("user").first()
    )
    if verification and request.user.is_authenticated and verification.user_id != request.user.pk:
        return None
    return verification


def pending_change(user: User) -> EmailVerification | None:
    """Return the requested change of the email of `user` that can still be confirmed, or None."""
    return EmailVerification.objects.open().filter(user=user).exclude(previous_email="").first()


def withdraw_change(request: HttpRequest, user: User) -> None:
    """Withdraw the requested change of the email of `user`: its link and its code have no effect any more."""
    with transaction.atomic():
        if EmailVerification.objects.filter(user=user).pending().exclude(previous_email="").delete()[0]:
            SecurityEvent.objects.record(request, user, Kind.EMAIL_CHANGE_WITHDRAWN)


def is_code_too_old(request: HttpRequest) -> bool:
    """Return whether the code that this browser has asked for has expired, by when it asked, whoever got the mail."""
    return _seconds_since(request) >= CODE_LIFETIME.seconds


def is_confirmed(request: HttpRequest) -> bool:
    """Return whether what this browser has asked for was confirmed meanwhile, by the link."""
    asked = EmailVerification.objects.filter(pk=_from_session(request)[0]).select_related("user").first()
    return asked is not None and asked.is_in_effect


def find_by_link(key: UUID, token: str) -> EmailVerification | None:
    """Return the verification that this link belongs to, even if it can't confirm it any more, or None."""
    return find(EmailVerification.objects.all(), key, link_token, token)


def confirm_by_link(request: HttpRequest, key: UUID, token: str) -> EmailVerification:
    """Confirm the email, and make it the account's. Raise InvalidLink, or EmailTaken; then nothing has changed."""
    return _confirm(request, key, partial(matches, link_token, given=token))


def confirm_by_code(request: HttpRequest, given: str) -> EmailVerification:
    """Confirm like `confirm_by_link`, in the browser that asked; the attempt counts before the code is compared."""
    tried = EmailVerification.objects.filter(pk=_from_session(request)[0]).use_attempt()
    verification = for_browser(request)
    right = partial(matches, code, given=given)
    if not tried or verification is None or not right(verification):
        raise InvalidLink
    return _confirm(request, verification.pk, right)


def find_change(key: UUID, token: str) -> EmailVerification | None:
    """Return the change of an email that this link belongs to, even if it can't undo it any more, or None."""
    return find(EmailVerification.objects.all(), key, undo_token, token)


def undo_change(request: HttpRequest, key: UUID, token: str) -> Undone:
    """Restore the previous email. Raise InvalidLink, EmailTaken or Throttled; then nothing has changed.

    EmailTaken means that the email had never been confirmed here, and that another account has confirmed it since.

    Whoever changed it may know the password, so that no longer works, every session ends, and a link to a new one goes
    to the restored email. (An account without a usable password still has none afterwards, and gets no link.) Links to
    later changes are invalidated; links to earlier ones are not, or a thief who changes the email twice could keep the
    first owner out. Other requests made since are withdrawn, second factors that were added since or shortly before are
    removed, and the previous user name is restored unless another account has it by now. The owner is told if it was
    changed shortly before, since only they know whether it was them. The other email hears of it.
    """
    throttle.hit(request, limits.MAIL_LINK)
    closed = User()
    closed.set_password(token_urlsafe())  # hashing is slow, so it comes before the lock
    with transaction.atomic():
        verification, user = lock(EmailVerification.objects.changes(), key)
        if not matches(undo_token, verification, token):
            raise InvalidLink
        first = _undo_since(verification)
        # Whoever has the email of until now may be the owner, or a thief, who is not told from where it was undone.
        outbox.enqueue("email_restored", user)
        claim(user, verification.previous_email)
        if user.can_reset_password:  # either ends the sessions
            user.copy_password(closed)
        else:
            user.set_unusable_password()
        user.save(update_fields=["password"])
        SecurityEvent.objects.record(request, user, Kind.EMAIL_RESTORED)
        withdrawn = recovery.withdraw_requests(request, user) + removal.remove_other_providers(request, user)
        if removal.remove_recent(request, user, first.requested_at):
            withdrawn.append("factors")
        if _restore_username(request, user, first.previous_username):
            withdrawn.append("username")
        if _renamed_before(user, first):
            withdrawn.append("username_before")
        outbox.enqueue("password_reset", user, request, email_restored=True, withdrawn=withdrawn)
    return Undone(user.email, recovery.sentences(withdrawn))


def record_change_by_admin(user: User, previous_email: str, *, verified: bool) -> None:
    """Tell the previous email of `user` that an administrator has changed it, with a link that undoes the change.

    `verified` is whether the previous email had been confirmed.
    """
    if previous_email:
        EmailVerification.objects.create(
            user=user,
            email=user.email,
            previous_email=previous_email,
            previous_email_verified=verified,
            previous_username=user.username,
            confirmed_at=timezone.now(),
        )
        alerts.notify_previous("email_changed", user)


def _confirm(request: HttpRequest, key: UUID, opens: Callable[[EmailVerification], bool]) -> EmailVerification:
    """Confirm the verification if `opens` accepts it under the lock. Raise InvalidLink or EmailTaken.

    No change takes away the mails that alone cancel the removal of a factor.
    """
    with transaction.atomic():
        verification, user = lock(EmailVerification.objects.open(), key)
        if verification.previous_email and removal.only_mail_cancels(user):
            raise InvalidLink
        if not opens(verification) or not EmailVerification.objects.filter(pk=key).confirm(user):
            raise InvalidLink
        claim(user, verification.email)
        _record_and_notify(request, verification, user)
    request.session.pop(_SESSION_KEY, None)
    return verification


def _send_link(request: HttpRequest, verification: EmailVerification) -> None:
    """Enqueue the mail with the link and the code."""
    outbox.enqueue(
        "email_confirm",
        verification.user,
        request,
        to=verification.email,
        verification=str(verification.pk),
        asked=str(verification.pk),
        stamp=stamp(verification),
    )


def _record_and_notify(request: HttpRequest, verification: EmailVerification, user: User) -> None:
    if not verification.previous_email:
        SecurityEvent.objects.record(request, user, Kind.EMAIL_CONFIRMED)
        return
    SecurityEvent.objects.record(request, user, Kind.EMAIL_CHANGED)
    alerts.notify_previous("email_changed", user, request)


def _undo_since(verification: EmailVerification) -> EmailVerification:
    """Undo the change and all that followed the first one away from the same email, and return that first one.

    A thief may have changed it back and forth, and hold links of their own.
    """
    mine = EmailVerification.objects.filter(user=verification.user)
    first = mine.changes().filter(previous_email=verification.previous_email).earliest("confirmed_at")
    if not mine.filter(confirmed_at__gte=first.confirmed_at).undo():
        raise InvalidLink
    return first


def _restore_username(request: HttpRequest, user: User, username: str) -> bool:
    """Restore the user name, and return whether it was another one by now and is still free."""
    if username in ("", user.username):
        return False
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(username=username)
    except IntegrityError:
        return False
    SecurityEvent.objects.record(request, user, Kind.USERNAME_CHANGED)
    return True


def _renamed_before(user: User, change: EmailVerification) -> bool:
    """Return whether somebody who is no administrator changed the user name in the days before `change`."""
    since = change.requested_at - UNDO_LIFETIME
    events = SecurityEvent.objects.filter(user=user, kind=Kind.USERNAME_CHANGED, actor=None)
    return bool(events.filter(created_at__range=(since, change.confirmed_at)).exists())


def _is_for(verification: EmailVerification | None, user: User, email: str) -> bool:
    """Return whether this is what asks `email` of `user`, unless the mail server has refused to deliver it."""
    asked = (user.pk, email, None)
    return verification is not None and (verification.user_id, verification.email, verification.refused_at) == asked


def _seconds_since(request: HttpRequest) -> int:
    """Return how long ago this browser asked for its verification."""
    return int(time()) - _from_session(request)[1]


def _from_session(request: HttpRequest) -> tuple[str, int]:
    """Return the id of this browser's verification, and when it asked for it."""
    kept: tuple[str, int] = request.session.get(_SESSION_KEY, (_NO_ID, 0))
    return kept

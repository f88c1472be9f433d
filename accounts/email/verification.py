"""Whose address is it? An account's own is asked for by a mail, and another one before it takes its place.

Whoever answers by the link or the code has the mailbox. That signs nobody in.
"""

from collections.abc import Callable
from functools import partial
from secrets import token_urlsafe
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.account import recovery
from accounts.email.ownership import claim, find_owner
from accounts.email.tokens import code, link_token, matches, stamp, undo_token
from accounts.mails import alerts, outbox
from accounts.models import EmailVerification, SecurityEvent, User
from accounts.models.email_verification import EmailVerificationQuerySet

Kind = SecurityEvent.Kind
_SESSION_KEY = "address_proof"  # in the session of the browser that asked: it alone can answer by the code (ASVS 6.6.2)
_NO_ID = str(UUID(int=0))  # the key of no verification


class Undone(NamedTuple):
    """What an undo did: the address that is back, and what was withdrawn with it, in sentences."""

    email: str
    withdrawn: list[str]


class InvalidLink(Exception):
    """A link or a code that does nothing: wrong, used, too old, tried too often, or its account has moved on."""


def start(request: HttpRequest, user: User, email: str) -> None:
    """Write to `address`: is it yours, `user`? It is their own, or it is to replace their own.

    What was asked of them before is void. If somebody else has the address, that person alone is told.
    """
    with transaction.atomic():
        verification = create(request, user, email, user.username)
        owner = find_owner(email, other_than=user)
        if owner:
            owner.notify(request, "email_taken")
        else:
            send_link(request, verification)
        if verification.previous_email:
            SecurityEvent.objects.record(request, user, Kind.EMAIL_CHANGE_ASKED)


def create(request: HttpRequest, user: User | None, email: str, name: str) -> EmailVerification:
    """A new verification, which the browser of `request` may answer by the code; the one before is void.

    Without a `user` nobody can answer: `name` and `address` were wanted for an account that was not made, and the
    browser finds what it would find if it had been.
    """
    before = (
        EmailVerification.objects.filter(user=user)
        if user
        else EmailVerification.objects.filter(pk=_from_session(request)[0])
    )
    before.pending().delete()
    previous_email = user.email if user and email != user.email else ""
    verification = EmailVerification.objects.create(user=user, email=email, previous_email=previous_email)
    EmailVerification.objects.prune()
    request.session[_SESSION_KEY] = [str(verification.pk), name]
    return verification


def send_link(request: HttpRequest, verification: EmailVerification) -> None:
    """The mail with link and code."""
    outbox.enqueue(
        "email_confirm",
        verification.user,
        request,
        to=verification.email,
        verification=str(verification.pk),
        stamp=stamp(verification),
    )


def for_browser(request: HttpRequest) -> EmailVerification | None:
    """What this browser has asked for and can answer by the code; None if nothing, or if it was somebody else's."""
    verification = (
        EmailVerification.objects.pending().filter(pk=_from_session(request)[0]).select_related("user").first()
    )
    if verification and request.user.is_authenticated and verification.user_id != request.user.pk:
        return None
    return verification


def pending_change(user: User) -> EmailVerification | None:
    """The change of the address of `user` that has been asked for and can still be confirmed."""
    return EmailVerification.objects.open().filter(user=user).exclude(previous_email="").first()


def requested_username(request: HttpRequest) -> str:
    """The user name of whom this browser asked for, or that it wanted."""
    return _from_session(request)[1]


def find_by_link(key: UUID, token: str) -> EmailVerification | None:
    """The verification that this link would confirm; None if it does nothing. Spends nothing."""
    verification = EmailVerification.objects.open().filter(pk=key).select_related("user").first()
    return verification if verification and matches(link_token, verification, token) else None


def confirm_by_link(request: HttpRequest, key: UUID, token: str) -> EmailVerification:
    """Confirm the address, and make it the account's. Raises InvalidLink, or EmailTaken with nothing changed."""
    return _confirm(request, key, partial(matches, link_token, given=token))


def confirm_by_code(request: HttpRequest, given: str) -> EmailVerification:
    """The same by the code, in the browser that asked for it; the try counts before it is looked at."""
    tried = EmailVerification.objects.filter(pk=_from_session(request)[0]).use_attempt()
    verification = for_browser(request)
    right = partial(matches, code, given=given)
    if not tried or verification is None or not right(verification):
        raise InvalidLink
    return _confirm(request, verification.pk, right)


def find_change(key: UUID, token: str) -> EmailVerification | None:
    """The change that this link would take back; None if it does nothing. Spends nothing."""
    verification = EmailVerification.objects.changes().filter(pk=key).select_related("user").first()
    return verification if verification and matches(undo_token, verification, token) else None


def undo_change(request: HttpRequest, key: UUID, token: str) -> Undone:
    """Put the address from before back. Raises InvalidLink, or, with nothing changed, EmailTaken: if the address had
    never been confirmed here, it is another account's once that has proved it.

    Whoever changed it may know the password: it opens nothing any more, every session ends, and a link to a new one
    goes to the address that is back. (An account that was to have no password has none after this either, and gets no
    link.) Links to whatever came later are void; those to what was earlier are not, or a thief who changes the address
    twice could keep the first owner out. What else was asked for since is withdrawn, and a user name that was changed
    since is put back, unless somebody has it by now.
    """
    password = make_password(token_urlsafe())  # takes long: before the lock
    with transaction.atomic():
        verification, user = _locked(EmailVerification.objects.changes(), key)
        if not matches(undo_token, verification, token):
            raise InvalidLink
        first = _undo_since(verification)
        claim(user, verification.previous_email)
        user.password = password if user.has_usable_password() else make_password(None)  # either ends the sessions
        user.save(update_fields=["password"])
        SecurityEvent.objects.record(request, user, Kind.EMAIL_RESTORED)
        withdrawn = recovery.withdraw_requests(request, user)
        if _restore_username(request, user, first.previous_username):
            withdrawn.append("username")
        outbox.enqueue("password_reset", user, request, email_restored=True, withdrawn=withdrawn)
    return Undone(user.email, recovery.sentences(withdrawn))


def record_change_by_admin(user: User, previous_email: str, *, verified: bool) -> None:
    """An administrator has given `user` another address: the one from before, which was `verified` or not, is told and
    can take it back."""
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
    with transaction.atomic():
        verification, user = _locked(EmailVerification.objects.open(), key)
        if not opens(verification) or not EmailVerification.objects.filter(pk=key).confirm(user):
            raise InvalidLink
        claim(user, verification.email)
        _record_and_notify(request, verification, user)
    request.session.pop(_SESSION_KEY, None)
    return verification


def _locked(verifications: EmailVerificationQuerySet, key: UUID) -> tuple[EmailVerification, User]:
    """The one of these verifications and its person, who is locked from here on and is as the table has them. Raises
    InvalidLink.

    On SQLite the transaction itself is the lock: it began as one that writes.
    """
    user = User.objects.select_for_update(of=("self",)).filter(email_verifications=key, is_active=True).first()
    verification = verifications.filter(pk=key).first()
    if user is None or verification is None:
        raise InvalidLink
    verification.user = user
    return verification, user


def _record_and_notify(request: HttpRequest, verification: EmailVerification, user: User) -> None:
    if not verification.previous_email:
        SecurityEvent.objects.record(request, user, Kind.EMAIL_CONFIRMED)
        return
    SecurityEvent.objects.record(request, user, Kind.EMAIL_CHANGED)
    alerts.notify_previous("email_changed", user, request)


def _undo_since(verification: EmailVerification) -> EmailVerification:
    """Take the change back, and all that came after the address was first changed: a thief may have changed it to and
    fro, and hold links of their own. Return that first change."""
    mine = EmailVerification.objects.filter(user=verification.user)
    first = mine.changes().filter(previous_email=verification.previous_email).earliest("confirmed_at")
    if not mine.filter(confirmed_at__gte=first.confirmed_at).undo():
        raise InvalidLink
    return first


def _restore_username(request: HttpRequest, user: User, username: str) -> bool:
    """Whether `user` has got back the name of then, having another one by now."""
    if username in ("", user.username):
        return False
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(username=username)
    except IntegrityError:
        return False
    SecurityEvent.objects.record(request, user, Kind.USERNAME_CHANGED)
    return True


def _from_session(request: HttpRequest) -> tuple[str, str]:
    key, name = request.session.get(_SESSION_KEY, (_NO_ID, ""))
    return key, name

"""Whose address is it? An account's own is asked for by a mail, and another one before it takes its place.

Whoever answers by the link or the code has the mailbox. That signs nobody in.
"""

from collections.abc import Callable
from functools import partial
from secrets import token_urlsafe
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import mails
from accounts.address_tokens import code, fits, link_token, stamp, undo_token
from accounts.models import AddressProof, SecurityEvent, User
from accounts.models.address import AddressProofQuerySet

Kind = SecurityEvent.Kind
_ASKED = "address_proof"  # in the session of the browser that asked: it alone can answer by the code (ASVS 6.6.2)
_NOTHING = str(UUID(int=0))  # the key of no proof


class Refused(Exception):
    """A link or a code that does nothing: wrong, used, too old, tried too often, or its account has moved on."""


class Taken(Exception):
    """Another account has the address by now."""


def ask(request: HttpRequest, user: User, address: str) -> None:
    """Write to `address`: is it yours, `user`? It is their own, or it is to replace their own.

    What was asked of them before is void. If somebody else has the address, that person alone is told.
    """
    with transaction.atomic():
        proof = begin(request, user, address, user.username)
        owner = User.objects.named(address).exclude(pk=user.pk).first()
        if owner:
            mails.send("address_taken", owner, request)
        else:
            write(request, proof)
        if proof.previous:
            SecurityEvent.objects.record(request, user, Kind.ADDRESS_ASKED)


def begin(request: HttpRequest, user: User | None, address: str, name: str) -> AddressProof:
    """A new proof, which the browser of `request` may answer by the code; the one before is void.

    Without a `user` nobody can answer: `name` and `address` were wanted for an account that was not made, and the
    browser finds what it would find if it had been.
    """
    before = AddressProof.objects.filter(user=user) if user else AddressProof.objects.filter(pk=_kept(request)[0])
    before.pending().delete()
    previous = user.email if user and address != user.email else ""
    proof = AddressProof.objects.create(user=user, address=address, previous=previous)
    AddressProof.objects.prune()
    request.session[_ASKED] = [str(proof.pk), name]
    return proof


def write(request: HttpRequest, proof: AddressProof) -> None:
    """The mail with link and code."""
    mails.send("address_confirm", proof.user, request, to=proof.address, proof=str(proof.pk), stamp=stamp(proof))


def asked(request: HttpRequest) -> AddressProof | None:
    """What this browser has asked for and can answer by the code; None if nothing, or if it was somebody else's."""
    proof = AddressProof.objects.pending().filter(pk=_kept(request)[0]).select_related("user").first()
    if proof and request.user.is_authenticated and proof.user_id != request.user.pk:
        return None
    return proof


def pending(user: User) -> AddressProof | None:
    """The change of the address of `user` that has been asked for and can still be confirmed."""
    return AddressProof.objects.open().filter(user=user).exclude(previous="").first()


def name_asked(request: HttpRequest) -> str:
    """The user name of whom this browser asked for, or that it wanted."""
    return _kept(request)[1]


def to_confirm(key: UUID, token: str) -> AddressProof | None:
    """The proof that this link would confirm; None if it does nothing. Spends nothing."""
    proof = AddressProof.objects.open().filter(pk=key).select_related("user").first()
    return proof if proof and fits(link_token, proof, token) else None


def confirm_by_link(request: HttpRequest, key: UUID, token: str) -> AddressProof:
    """Confirm the address, and make it the account's. Raises Refused, or Taken with nothing changed."""
    return _confirm(request, key, partial(fits, link_token, given=token))


def confirm_by_code(request: HttpRequest, given: str) -> AddressProof:
    """The same by the code, in the browser that asked for it; the try counts before it is looked at."""
    tried = AddressProof.objects.filter(pk=_kept(request)[0]).take_try()
    proof = asked(request)
    right = partial(fits, code, given=given)
    if not tried or proof is None or not right(proof):
        raise Refused
    return _confirm(request, proof.pk, right)


def to_undo(key: UUID, token: str) -> AddressProof | None:
    """The change that this link would take back; None if it does nothing. Spends nothing."""
    proof = AddressProof.objects.changes().filter(pk=key).select_related("user").first()
    return proof if proof and fits(undo_token, proof, token) else None


def undo(request: HttpRequest, key: UUID, token: str) -> AddressProof:
    """Put the address from before back. Raises Refused, or Taken with nothing changed.

    Whoever changed it may know the password: it opens nothing any more, every session ends, and a link to a new one
    goes to the address that is back. (An account that was to have no password has none after this either, and gets no
    link.) Links to whatever came later are void; those to what was earlier are not, or a thief who changes the address
    twice could keep the first owner out.
    """
    password = make_password(token_urlsafe())  # takes long: before the lock
    try:
        with transaction.atomic():
            proof, user = _locked(AddressProof.objects.changes(), key)
            if not fits(undo_token, proof, token):
                raise Refused
            _void(proof)
            user.email, user.verified_at = proof.previous, timezone.now()
            user.password = password if user.has_usable_password() else make_password(None)  # either ends the sessions
            user.save(update_fields=["email", "verified_at", "password"])
            SecurityEvent.objects.record(request, user, Kind.ADDRESS_RESTORED)
            mails.send("password_reset", user, request, address_restored=True)
    except IntegrityError:
        raise Taken from None
    return proof


def replaced(user: User, previous: str) -> None:
    """An administrator has given `user` another address: the one from before is told, and can take it back."""
    if previous:
        proof = AddressProof.objects.create(
            user=user, address=user.email, previous=previous, confirmed_at=timezone.now()
        )
        mails.send("address_changed", user, to=previous, proof=str(proof.pk))


def _confirm(request: HttpRequest, key: UUID, opens: Callable[[AddressProof], bool]) -> AddressProof:
    try:
        with transaction.atomic():
            proof, user = _locked(AddressProof.objects.open(), key)
            if not opens(proof) or not AddressProof.objects.filter(pk=key).confirm():
                raise Refused
            user.email, user.verified_at = proof.address, timezone.now()
            user.save(update_fields=["email", "verified_at"])
            _tell(request, proof, user)
    except IntegrityError:
        raise Taken from None
    request.session.pop(_ASKED, None)
    return proof


def _locked(proofs: AddressProofQuerySet, key: UUID) -> tuple[AddressProof, User]:
    """The one of these proofs and its person, who is locked from here on and is as the table has them. Raises Refused.

    On SQLite the transaction itself is the lock: it began as one that writes.
    """
    user = User.objects.select_for_update(of=("self",)).filter(address_proofs=key, is_active=True).first()
    proof = proofs.filter(pk=key).first()
    if user is None or proof is None:
        raise Refused
    proof.user = user
    return proof, user


def _tell(request: HttpRequest, proof: AddressProof, user: User) -> None:
    if not proof.previous:
        SecurityEvent.objects.record(request, user, Kind.ADDRESS_CONFIRMED)
        return
    SecurityEvent.objects.record(request, user, Kind.ADDRESS_CHANGED)
    mails.send("address_changed", user, request, to=proof.previous, proof=str(proof.pk))


def _void(proof: AddressProof) -> None:
    """Take the change back, and all that came after the address was first changed: a thief may have changed it to and
    fro, and hold links of their own."""
    mine = AddressProof.objects.filter(user=proof.user)
    first = mine.changes().filter(previous=proof.previous).earliest("confirmed_at")
    if not mine.filter(confirmed_at__gte=first.confirmed_at).undo():
        raise Refused


def _kept(request: HttpRequest) -> tuple[str, str]:
    key, name = request.session.get(_ASKED, (_NOTHING, ""))
    return key, name

"""Decide which user somebody is whom a provider vouches for: by issuer and subject, never by their email."""

import re
from secrets import randbelow

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.email import verification as email_verification
from accounts.email.ownership import EmailTaken, claim, find_owner
from accounts.factors import enrolment
from accounts.mails import outbox
from accounts.models import EmailVerification, Identity, Passkey, ProviderFlow, SecurityEvent, User
from accounts.providers import registry
from accounts.providers.exceptions import OwnerMustSignIn, ProviderError
from accounts.providers.person import Person
from accounts.providers.registry import Provider
from accounts.security import limits, throttle
from accounts.types import Request
from tokens.models import RefreshToken, locks

Kind = SecurityEvent.Kind
MAX_IDENTITIES = 20  # of one user
LONGEST_NAME = 30  # of a user name that is made here
_NO_NAME = re.compile(r"[^a-z0-9._-]+")


def find_or_sign_up(request: HttpRequest, provider: Provider, person: Person) -> User:
    """Return the user that `person` signs in as, or make an account for them. Raise ProviderError and Throttled."""
    identity = _find(provider, person)
    if identity is None:
        # A mailbox that the provider vouches for gets no mail, so that strangers who sign up with it block nobody.
        throttle.hit(request, limits.PROVIDER_SIGN_UP, "" if person.owns_email else person.email)
        try:
            return _sign_up(request, provider, person)
        except IntegrityError:  # They have just signed up in another tab.
            identity = _find(provider, person)
    said = {"provider": provider.name, "email": person.email, "owns_email": person.owns_email}
    used = {**said, "last_used_at": timezone.now()}
    if identity is None or not identity.user.is_active or not Identity.objects.filter(pk=identity.pk).update(**used):
        raise ProviderError("The account is closed.", _("This account is closed."))
    return identity.user


def link(request: Request, provider: Provider, person: Person) -> None:
    """Let the user sign in as `person`, who is nobody here yet. Raise ProviderError and Throttled.

    Their email has to be confirmed: whoever confirms it later must not find a stranger's way in.
    """
    throttle.hit(request, limits.ENROLMENT, request.user)
    _link(request, provider, person)


def offer(flow: ProviderFlow, provider: Provider, person: Person) -> None:
    """Have `person`, whose email has an account, become a way into it once its owner signs in in the same browser."""
    ProviderFlow.objects.filter(pk=flow.pk).update(offered=[provider.name, person.subject, person.email])


def offered(flow: ProviderFlow) -> tuple[Provider, Person] | None:
    """Return who was offered in `flow`, and by which provider; or None."""
    name, subject, email = flow.offered or ("", "", "")
    provider = registry.find(name)
    return (provider, Person(subject, email, owns_email=True)) if provider else None


def accept(request: Request, flow: ProviderFlow) -> Provider | None:
    """Let the user, who has just signed in by their own means, sign in as who was offered in `flow`.

    Return the provider, or None if there is nothing for this user: the account with that email is somebody else's.
    Raise ProviderError.
    """
    found = offered(flow)
    owner = find_owner(found[1].email) if found else None
    if found is None or owner is None or owner.user != request.user or not request.user.email_verified_at:
        return None
    _link(request, *found)
    return found[0]


def _link(request: Request, provider: Provider, person: Person) -> None:
    words = {"provider": provider}
    with transaction.atomic():
        enrolment.lock(request)
        identity, mine = _find(provider, person), Identity.objects.filter(user=request.user)
        if identity and identity.user_id == request.user.pk:
            return
        taken = ProviderError("Somebody else has it.", _("That %(provider)s account belongs to another user.") % words)
        if identity:
            raise taken
        if mine.count() >= MAX_IDENTITIES:
            raise ProviderError("Too many.", _("You can't add more. Remove one that you don't use first."))
        try:
            with transaction.atomic():
                _add(request.user, provider, person)
        except IntegrityError:  # They have just signed up with it elsewhere.
            raise taken from None
        enrolment.record_and_notify(request, Kind.PROVIDER_ADDED, provider=provider.name)


def unlink(request: Request, identity: Identity) -> bool:
    """Remove a way in of the user; return whether they have another one."""
    with transaction.atomic():
        enrolment.lock(request)
        if not has_other_way_in(identity):
            return False
        Identity.objects.filter(pk=identity.pk).delete()
        enrolment.record_and_notify(request, Kind.PROVIDER_REMOVED, provider=identity.provider)
    return True


def has_other_way_in(identity: Identity) -> bool:
    """Return whether its user could still sign in without `identity`."""
    user = User.objects.get(pk=identity.user_id)
    issuers = [provider.issuer for provider in registry.providers()]  # of those that still count
    others = Identity.objects.filter(user=user, issuer__in=issuers).exclude(pk=identity.pk)
    return user.has_usable_password() or others.exists() or Passkey.objects.filter(user=user).exists()


def is_of(user: User, provider: Provider, person: Person) -> bool:
    """Return whether `person` is one that `user` signs in as."""
    identity = _find(provider, person)
    return identity is not None and identity.user_id == user.pk


def _find(provider: Provider, person: Person) -> Identity | None:
    key = Identity.key_of(provider.issuer, person.subject)
    return Identity.objects.filter(key=key).select_related("user").first()


def _add(user: User, provider: Provider, person: Person) -> None:
    key = Identity.key_of(provider.issuer, person.subject)
    # Release 0.1.0, which knows no such table, leaves those of the users whom it deletes.
    Identity.objects.filter(key=key).exclude(user__in=User.objects.all()).delete()
    Identity.objects.create(
        key=key,
        user=user,
        provider=provider.name,
        issuer=provider.issuer,
        subject=person.subject,
        email=person.email,
        owns_email=person.owns_email,
    )


def _sign_up(request: HttpRequest, provider: Provider, person: Person) -> User:
    """Create an account, whose email is confirmed if the provider vouches for it; else a mail asks to confirm it.

    Raise OwnerMustSignIn if it vouches for an email that another account has confirmed.
    """
    words = {"provider": provider}
    if not person.email:
        text = _("%(provider)s didn't tell us your email address. Allow it there, or create an account here.")
        raise ProviderError("There is no email.", text % words)
    if person.owns_email and find_owner(person.email):
        text = _(
            "You already have an account with this email address. Sign in to it, then add %(provider)s under Security."
        )
        raise OwnerMustSignIn("Another account has the email.", text % words)
    user = User(email=person.email, language=get_language() or "")
    user.leave_password_unchosen()
    with transaction.atomic():
        _save_with_free_name(user, person)
        SecurityEvent.objects.record(request, user, Kind.SIGNED_UP, method=provider.name)
        if person.owns_email:
            _take_email(request, user)
        else:
            email_verification.start(request, user, user.email)
        _add(user, provider, person)
    return user


def _take_email(request: HttpRequest, user: User) -> None:
    """Confirm the email of `user`, and sign out whoever has signed up with it without confirming it.

    Those are locked first: who confirms it at this moment holds their own lock, and waits for the email.
    """
    squatters = list(User.objects.by_login(user.email).filter(email_verified_at=None).exclude(pk=user.pk))
    locks.lock_all([squatter.pk for squatter in squatters])
    try:
        claim(user, user.email)
    except EmailTaken:
        raise ProviderError(
            "Another account has the email.", _("Another account already uses this email address.")
        ) from None
    SecurityEvent.objects.record(request, user, Kind.EMAIL_CONFIRMED)
    if squatters:
        EmailVerification.objects.filter(user__in=squatters, email__iexact=user.email).pending().delete()
        RefreshToken.objects.revoke_for(squatters, RefreshToken.Reason.ENDED)
        outbox.enqueue("email_claimed", user, request)


def _save_with_free_name(user: User, person: Person) -> None:
    """Give `user` a name like that at the provider, which they can change, and save them: the unique index decides."""
    for name in _names(person):
        user.username = name
        try:
            with transaction.atomic():
                user.clean_fields({"password", "email"})
                user.save(force_insert=True)
            return
        except (IntegrityError, ValidationError):
            continue
    raise ProviderError("No name is free.")


def _names(person: Person) -> list[str]:
    """Return names to try: few, so that it can't be made slow by taking them all."""
    wanted = person.name.rpartition("@")[0] or person.name or person.email.partition("@")[0]
    name = _NO_NAME.sub("", wanted[:100].lower())[:LONGEST_NAME].strip("._-") or "user"
    return [name, *(f"{name}{number}" for number in range(2, 6)), *(f"{name}{randbelow(10**8)}" for _try in range(5))]

"""Add, use and remove passkeys: the rows behind the ceremonies of accounts/factors/webauthn.py.

What the script of a page gets is JSON.
"""

import json
import logging
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.account.user_agents import describe
from accounts.factors import challenges, enrolment, failures, policy, webauthn
from accounts.factors.challenges import InvalidResponse, Purpose
from accounts.factors.webauthn import CounterWentBack, decoded, encoded
from accounts.models import SecurityEvent, User
from accounts.models.factors import LONGEST_CREDENTIAL_ID, FactorSettings, Passkey
from accounts.types import Request
from tokens import client

logger = logging.getLogger("accounts")

PHISHING_RESISTANT = "phr"  # the class of authentication (OpenID Connect EAP ACR Values §2)
MAX_PASSKEYS = 20  # as many as the options of one request may name
# Where most passkeys live. Others are named after the browser that they were made in.
_HOMES = {
    "08987058-cadc-4b81-b6e1-30de50dcbe96": "Windows Hello",
    "6028b017-b1d4-4c02-b4b3-afcdafc96bb2": "Windows Hello",
    "9ddd1817-af5a-4672-a2b9-3e3dd95000a9": "Windows Hello",
    "bada5566-a7aa-401f-bd96-45619a55120d": "1Password",
    "d548826e-79b4-db40-a3d8-11116f7e8349": "Bitwarden",
    "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
    "fbfc3007-154e-4ecc-8c0b-6e020557d7bd": "iCloud Keychain",
}


def amr(passkey: Passkey) -> tuple[str, ...]:
    """Return how somebody has shown who they are who has just used `passkey`, in the words of RFC 8176."""
    return ("swk" if passkey.backup_eligible else "hwk", "user")


def creation_options(request: Request, purpose: Purpose = Purpose.REGISTRATION) -> str:
    """Return the options by which the browser makes a passkey for this session's user."""
    user = request.user
    options = webauthn.registration_options(
        handle=_settings(user).handle.bytes,
        name=user.username,
        display_name=_display_name(user),
        challenge=challenges.new(purpose, _session(request)),
        exclude=_ids(user),
    )
    return json.dumps(options)


def request_options() -> str:
    """Return the options by which the browser signs in by any passkey that it finds for this site."""
    return json.dumps(webauthn.request_options(challenge=challenges.new(Purpose.SIGN_IN)))


def request_options_for(user: User, purpose: Purpose, subject: str) -> str:
    """Return the options by which the browser uses a passkey of `user`, or "" if they have none."""
    own = _ids(user)
    challenge = challenges.new(purpose, subject)
    return json.dumps(webauthn.request_options(challenge=challenge, allow=own)) if own else ""


def add(request: Request, response: str, purpose: Purpose = Purpose.REGISTRATION) -> bool:
    """Store the passkey that the browser has made; return whether it is the user's first factor.

    Raise InvalidResponse, also if it would be and the browser has made it unasked.
    """
    new = webauthn.verify_registration(response, purpose=purpose, subject=_session(request))
    if len(new.credential_id) > LONGEST_CREDENTIAL_ID:
        raise InvalidResponse("The credential id is too long.")
    passkey = Passkey(
        user=request.user,
        credential_id=encoded(new.credential_id),
        public_key=new.public_key,
        sign_count=new.sign_count,
        transports=" ".join(new.transports),
        aaguid=UUID(new.aaguid) if new.aaguid else None,
        backup_eligible=new.backup_eligible,
        backed_up=new.backed_up,
        discoverable=new.discoverable,
        name=_HOMES.get(new.aaguid) or str(describe(client.user_agent(request))),
    )
    try:
        return _save(request, passkey, unasked=purpose == Purpose.CONDITIONAL_REGISTRATION)
    except IntegrityError as error:  # The same response again, too: a registration works once.
        raise InvalidResponse("There is such a passkey already.") from error


def is_full(user: User) -> bool:
    """Return whether `user` has as many passkeys as anybody may have."""
    return Passkey.objects.filter(user=user).count() >= MAX_PASSKEYS


def remove(request: Request, passkey: Passkey) -> bool:
    """Remove `passkey`; return whether it was still there."""
    with transaction.atomic():
        enrolment.lock(request)
        if not Passkey.objects.filter(pk=passkey.pk).delete()[0]:
            return False
        enrolment.after_removing(request, SecurityEvent.Kind.PASSKEY_REMOVED)
    return True


def find(response: str) -> Passkey | None:
    """Return the passkey that the response says it is of, with its user. It proves nothing yet."""
    found = Passkey.objects.filter(credential_id=encoded(webauthn.credential_id_of(response)))
    return found.select_related("user__factor_settings").first()


def prove(request: Request, user: User, response: str, purpose: Purpose, subject: str) -> Passkey:
    """Return the passkey of `user` that has answered, having used the response up. Raise InvalidResponse.

    That is recorded: whoever asks has signed in, or given the password.
    """
    try:
        passkey = find(response)
        if passkey is None or passkey.user != user:
            raise InvalidResponse("No such passkey of this user.")
        use(request, passkey, response, purpose, subject)
    except InvalidResponse as error:
        log_refusal(error)
        failures.record(request, user)
        raise
    return passkey


def use(request: Request, passkey: Passkey, response: str, purpose: Purpose, subject: str = "") -> None:
    """Accept the response, once. Raise InvalidResponse."""
    try:
        seen = webauthn.verify_assertion(
            response,
            purpose=purpose,
            subject=subject,
            handle=_settings(passkey.user).handle.bytes,
            credential_id=decoded(passkey.credential_id),
            public_key=bytes(passkey.public_key),
            sign_count=passkey.sign_count,
            backup_eligible=passkey.backup_eligible,
        )
    except CounterWentBack:
        SecurityEvent.objects.record(request, passkey.user, SecurityEvent.Kind.PASSKEY_COPIED)
        raise
    row = Passkey.objects.filter(pk=passkey.pk)
    if not row.spend(seen.moment, sign_count=seen.sign_count, backed_up=seen.backed_up):
        raise InvalidResponse("The response was sent before.")


def log_refusal(error: InvalidResponse) -> None:
    """Log why a response was refused. The browser does not learn it."""
    logger.info("A passkey was refused.", extra={"kind": "passkey_refused", "cause": str(error)})


def signals(user: User) -> dict[str, str]:
    """Return what the browser may learn of the passkeys of `user`: which there are, and what they are called.

    The names are those of methods of PublicKeyCredential (WebAuthn Level 3, §5.1.10).
    """
    stored = FactorSettings.objects.filter(user=user).first()
    if stored is None:  # They never had one.
        return {}
    about = {"rpId": webauthn.rp_id(), "userId": encoded(stored.handle.bytes)}
    accepted = {"allAcceptedCredentialIds": [pk for pk, _ in _stored_ids(user)]}
    details = {"name": user.username, "displayName": _display_name(user)}
    return {
        "signalAllAcceptedCredentials": json.dumps({**about, **accepted}),
        "signalCurrentUserDetails": json.dumps({**about, **details}),
    }


def unknown(response: str) -> str:
    """Return what `signalUnknownCredential` tells the browser of the passkey of this response; "" if it is of use."""
    try:
        known, credential_id = find(response), webauthn.credential_id_of(response)
    except InvalidResponse:
        return ""
    about = {"rpId": webauthn.rp_id(), "credentialId": encoded(credential_id)}
    return "" if known else json.dumps(about)


def _save(request: Request, passkey: Passkey, *, unasked: bool) -> bool:
    with transaction.atomic():
        enrolment.lock(request)
        if is_full(request.user):
            raise InvalidResponse("The user has too many passkeys.")
        first = not policy.has_factor(request.user)
        if unasked and first:
            raise InvalidResponse("Nobody has asked for a first factor.")
        passkey.save(force_insert=True)
        added = SecurityEvent.Kind.PASSKEY_ADDED
        enrolment.after_adding(request, added, *amr(passkey), first=first, unasked=unasked)
    return first


def _display_name(user: User) -> str:
    return user.get_full_name() or user.username


def _settings(user: User) -> FactorSettings:
    return FactorSettings.objects.get_or_create(user=user)[0]


def _ids(user: User) -> list[tuple[bytes, list[str]]]:
    return [(decoded(pk), transports.split()) for pk, transports in _stored_ids(user)]


def _stored_ids(user: User) -> list[tuple[str, str]]:
    return list(Passkey.objects.filter(user=user).values_list("credential_id", "transports"))


def _session(request: Request) -> str:
    return str(request.tokens.session_id)

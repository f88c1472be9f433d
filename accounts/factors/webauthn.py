"""Make the options of the two WebAuthn ceremonies, and verify what browsers send back (WebAuthn Level 3, §7).

The library verifies; here is what it leaves to its caller: user verification, counters, and that nothing strange gets
further than `InvalidResponse`. Nothing here knows a model.

The functions import the library themselves: with OpenSSL and ASN.1 it takes 7 MB, which no process needs to begin with.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from django.conf import settings

from accounts.factors import challenges
from accounts.factors.challenges import InvalidResponse, Purpose
from tokens.conf import conf

if TYPE_CHECKING:
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import AuthenticationCredential, PublicKeyCredentialDescriptor

MAX_LENGTH = 16 * 1024  # characters of a response; real ones have one or two thousand
MAX_DEPTH = 8  # of CBOR; real keys and extensions have two levels
ALGORITHMS = ("ECDSA_SHA_256", "EDDSA", "RSASSA_PKCS1_v1_5_SHA_256")  # The last is all that some Windows machines have.


class CounterWentBack(InvalidResponse):
    """Report a device-bound passkey that has signed less often than it had: there may be two of it."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a verified registration says."""

    credential_id: bytes
    public_key: bytes  # COSE
    sign_count: int
    transports: tuple[str, ...]
    aaguid: str
    backup_eligible: bool  # False: it never leaves its device
    backed_up: bool
    discoverable: bool  # whether it can be used without typing a user name


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a verified assertion says. Its challenge is spent by storing `moment`, which only grows for a passkey."""

    moment: datetime
    sign_count: int
    backed_up: bool


def rp_id() -> str:
    """Return the domain that the passkeys of this site belong to."""
    return urlsplit(conf.issuer).hostname or ""


def origin() -> str:
    """Return what browsers call the origin of this site."""
    url = urlsplit(conf.issuer)
    port = "" if url.port in (None, {"http": 80, "https": 443}.get(url.scheme)) else f":{url.port}"
    return f"{url.scheme}://{url.hostname}{port}"


def registration_options(
    *,
    handle: bytes,
    name: str,
    display_name: str,
    challenge: bytes,
    exclude: Iterable[tuple[bytes, Iterable[str]]] = (),
) -> dict[str, Any]:
    """Return the options of `navigator.credentials.create()` as JSON has them.

    `exclude` are the ids and transports of the passkeys that the user has: no device makes a second one. A security key
    whose memory is full may make one that is good as a second factor only.
    """
    from webauthn import generate_registration_options
    from webauthn.helpers import options_to_json_dict, structs

    options = generate_registration_options(
        rp_id=rp_id(),
        rp_name=settings.SITE_NAME,
        user_id=handle,
        user_name=name,
        user_display_name=display_name,
        challenge=challenge,
        timeout=_milliseconds(challenges.LIFETIME),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.PREFERRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(exclude),
        supported_pub_key_algs=_algorithms(),
        hints=[structs.PublicKeyCredentialHint.CLIENT_DEVICE, structs.PublicKeyCredentialHint.HYBRID],
    )
    return {**options_to_json_dict(options), "extensions": {"credProps": True}}  # which the library does not know


def request_options(*, challenge: bytes, allow: Iterable[tuple[bytes, Iterable[str]]] = ()) -> dict[str, Any]:
    """Return the options of `navigator.credentials.get()` as JSON has them.

    `allow` are the ids and transports of the passkeys that will do; if empty, any that the browser finds for this site.
    """
    from webauthn import generate_authentication_options
    from webauthn.helpers import options_to_json_dict, structs

    options = generate_authentication_options(
        rp_id=rp_id(),
        challenge=challenge,
        timeout=_milliseconds(challenges.LIFETIME),
        allow_credentials=_descriptors(allow),
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def verify_registration(response: str, *, purpose: Purpose, subject: str) -> NewPasskey:
    """Return the passkey that the browser has made. Raise InvalidResponse.

    Its owner was present and verified, unless the browser made it unasked.
    """
    import webauthn
    from webauthn import helpers

    attended = purpose != Purpose.CONDITIONAL_REGISTRATION
    with _refusals():
        data = _loaded(response)
        sent = helpers.parse_registration_credential_json(data)
        challenge = _challenge(sent.response.client_data_json)
        challenges.moment_of(challenge, purpose, subject)
        sent.response.attestation_object = _without_statement(sent.response.attestation_object)
        made = webauthn.verify_registration_response(
            credential=sent,
            expected_challenge=challenge,
            expected_rp_id=rp_id(),
            expected_origin=origin(),
            require_user_presence=attended,
            require_user_verification=attended,
            supported_pub_key_algs=_algorithms(),
        )
        # The library does not look whether there is such a key, until it has to verify something by it.
        helpers.decoded_public_key_to_cryptography(helpers.decode_credential_public_key(made.credential_public_key))
        return NewPasskey(
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            transports=tuple(dict.fromkeys(transport.value for transport in sent.response.transports or ())),
            aaguid=made.aaguid,
            backup_eligible=made.credential_device_type == helpers.structs.CredentialDeviceType.MULTI_DEVICE,
            backed_up=made.credential_backed_up,
            # Not every browser tells. Where it does not, all are: it would rather say so of a security key.
            discoverable=(_extensions(data).get("credProps") or {}).get("rk") is not False,
        )


def credential_id_of(response: str) -> bytes:
    """Return the id of the passkey that the response says it is of. Raise InvalidResponse. It proves nothing yet."""
    with _refusals():
        return decoded(_loaded(response)["rawId"])


def encoded(data: bytes) -> str:
    """Return `data` as WebAuthn writes bytes in JSON: in base64url, without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Return the bytes that `encoded` made `text` of."""
    return urlsafe_b64decode(f"{text}===")  # of which Python ignores what is too much


def verify_assertion(
    response: str,
    *,
    purpose: Purpose,
    subject: str = "",
    handle: bytes,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    backup_eligible: bool,
) -> Assertion:
    """Return what the owner of this passkey has proven. Raise InvalidResponse. `handle` is the user's.

    Whoever stores the outcome has to see that `moment` is later than the last one of this passkey: the response could
    be sent twice.
    """
    import webauthn
    from webauthn import helpers

    with _refusals():
        sent = helpers.parse_authentication_credential_json(_loaded(response))
        challenge = _challenge(sent.response.client_data_json)
        moment = challenges.moment_of(challenge, purpose, subject)
        _check_identity(sent, credential_id, handle, asked_by_id=purpose != Purpose.SIGN_IN)
        _check_authenticator_data(sent.response.authenticator_data)
        proven = webauthn.verify_authentication_response(
            credential=sent,
            expected_challenge=challenge,
            expected_rp_id=rp_id(),
            expected_origin=origin(),
            credential_public_key=public_key,
            credential_current_sign_count=0,  # It would refuse before it has seen who signed, synced passkeys too.
            require_user_verification=True,
        )
    if backup_eligible != (proven.credential_device_type == helpers.structs.CredentialDeviceType.MULTI_DEVICE):
        raise InvalidResponse("The passkey has changed between device-bound and synced.")
    if not backup_eligible:
        _check_counter(before=sign_count, now=proven.new_sign_count)
    return Assertion(moment=moment, sign_count=proven.new_sign_count, backed_up=proven.credential_backed_up)


def _check_identity(
    sent: "AuthenticationCredential", credential_id: bytes, handle: bytes, *, asked_by_id: bool
) -> None:
    if sent.raw_id != credential_id:
        raise InvalidResponse("The response is of another passkey.")
    # Where it was not asked for by id, the passkey has to say whose it is (§7.2, step 6).
    if sent.response.user_handle != handle and (sent.response.user_handle or not asked_by_id):
        raise InvalidResponse("The passkey belongs to another user.")


def _check_counter(*, before: int, now: int) -> None:
    """Raise CounterWentBack unless a device-bound passkey has counted on, or never counts."""
    if (now or before) and now <= before:
        raise CounterWentBack("The counter of a device-bound passkey went back.")


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _algorithms() -> "list[COSEAlgorithmIdentifier]":
    from webauthn.helpers.cose import COSEAlgorithmIdentifier

    return [COSEAlgorithmIdentifier[name] for name in ALGORITHMS]


def _descriptors(passkeys: Iterable[tuple[bytes, Iterable[str]]]) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(id=pk, transports=[AuthenticatorTransport(name) for name in transports])
        for pk, transports in passkeys
    ]


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn whatever a stranger's bytes make the library raise into InvalidResponse.

    That is not only its own exceptions, but those of base64, JSON, CBOR and OpenSSL, too many to be listed.
    """
    try:
        yield
    except InvalidResponse:
        raise
    except Exception as error:
        raise InvalidResponse(f"{type(error).__name__}: {error}"[:200]) from error


def _loaded(response: str) -> dict[str, Any]:
    if len(response) > MAX_LENGTH:
        raise InvalidResponse("The response is too long.")
    data = json.loads(response)
    if not isinstance(data, dict):
        raise InvalidResponse("The response is no JSON object.")
    return data


def _extensions(data: dict[str, Any]) -> dict[str, Any]:
    return data.get("clientExtensionResults") or {}


def _challenge(client_data_json: bytes) -> bytes:
    """Return the challenge that was answered. It is the library that compares it with what was signed."""
    from webauthn.helpers import parse_client_data_json

    client_data = parse_client_data_json(client_data_json)
    if client_data.cross_origin:
        raise InvalidResponse("The page was in a frame of another site.")
    return client_data.challenge


def _without_statement(attestation_object: bytes) -> bytes:
    """Return the attestation object as if nobody attested it: which make of device it is does not matter here.

    Some password managers attest without being asked, and certificates, JWTs and TPM structures are a lot of code to
    let strangers at.
    """
    import cbor2

    auth_data = _decode(BytesIO(attestation_object))["authData"]
    _check_authenticator_data(auth_data)
    return cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": auth_data})


def _check_authenticator_data(data: bytes) -> None:
    """Decode the key and the extensions in authenticator data (§6.1) once, without tags, before the library does."""
    start, attested = 37, data[32] & 0x40
    if attested:
        start += 18 + int.from_bytes(data[53:55])
    rest = BytesIO(data[start:])
    while rest.tell() < len(data) - start:
        _decode(rest)


def _decode(file: BytesIO) -> Any:
    """Return the next CBOR value. Refuse tags, which WebAuthn has no use for.

    A tag can make cbor2 compile a regular expression, which takes seconds if it is chosen for that.
    """
    import cbor2

    decoder = cbor2.CBORDecoder(
        file, tag_hook=_refuse_tag, semantic_decoders=_NO_TAGS, max_depth=MAX_DEPTH, allow_duplicate_keys=False
    )
    return decoder.decode()


def _refuse_tag(*args: object) -> NoReturn:
    raise InvalidResponse("The CBOR has tags.")


_NO_TAGS: defaultdict[int, Any] = defaultdict(lambda: _refuse_tag)

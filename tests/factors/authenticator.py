"""An authenticator in software, with the browser in front of it: real passkeys, whose every byte a test can choose."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes as decoded
from webauthn.helpers import bytes_to_base64url as encoded

UP, UV, BE, BS, AT, ED = 1, 4, 8, 16, 64, 128  # flags (WebAuthn §6.1)
PRESENT = UP | UV


@dataclass
class Credential:
    id: bytes
    key: Any
    handle: bytes
    count: int


@dataclass
class Authenticator:
    """What `create` and `get` return is the JSON that the form of a page sends; `flags` are set in each."""

    origin: str
    rp_id: str = "localhost"
    flags: int = PRESENT | BE | BS
    step: int = 0  # by how much the counter grows: synced passkeys have none
    key: str = "ES256"
    transports: list[str] = field(default_factory=lambda: ["internal", "hybrid"])
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: dict[str, Any], *, extensions: dict[str, Any] | None = None, **client: Any) -> str:
        """Make a passkey; `client` is put into clientDataJSON, `extensions` are the browser's results."""
        made = Credential(secrets.token_bytes(16), _KEYS[self.key](), decoded(options["user"]["id"]), self.step)
        self.credentials.append(made)
        attested = bytes(16) + len(made.id).to_bytes(2) + made.id + cbor2.dumps(cose(made.key))
        auth_data = self.auth_data(made.count, AT) + attested
        response = {
            "clientDataJSON": self.client_data("webauthn.create", options, client),
            "attestationObject": encoded(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": auth_data})),
            "transports": self.transports,
        }
        return self.sent(made, response, {"credProps": {"rk": True}} if extensions is None else extensions)

    def get(self, options: dict[str, Any], *, tail: bytes = b"", more: int = 0, **client: Any) -> str:
        """Sign with the passkey that was made last. `tail` and the flags `more` are put into the authenticator data."""
        used = self.credentials[-1]
        used.count += self.step
        auth_data = self.auth_data(used.count, more) + tail
        client_data = self.client_data("webauthn.get", options, client)
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": encoded(auth_data),
            "signature": encoded(sign(used.key, auth_data + hashlib.sha256(decoded(client_data)).digest())),
            "userHandle": encoded(used.handle) if used.handle else None,
        }
        return self.sent(used, response, {})

    def auth_data(self, count: int, more: int = 0) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([self.flags | more]) + count.to_bytes(4)

    def client_data(self, kind: str, options: dict[str, Any], client: dict[str, Any]) -> str:
        data = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False, **client}
        return encoded(json.dumps(data).encode())

    def sent(self, credential: Credential, response: dict[str, Any], extensions: dict[str, Any]) -> str:
        return json.dumps(
            {
                "id": encoded(credential.id),
                "rawId": encoded(credential.id),
                "type": "public-key",
                "authenticatorAttachment": "platform",
                "response": response,
                "clientExtensionResults": extensions,
            }
        )


_KEYS = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


def cose(key: Any) -> dict[int, Any]:
    """The public key as COSE has it (RFC 9053)."""
    public = key.public_key()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
    numbers = public.public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(256), -2: numbers.e.to_bytes(3)}
    size = key.key_size // 8
    alg, curve = (-7, 1) if size == 32 else (-35, 2)
    return {1: 2, 3: alg, -1: curve, -2: numbers.x.to_bytes(size), -3: numbers.y.to_bytes(size)}


def sign(key: Any, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), SHA256())
    return bytes(key.sign(data, ec.ECDSA(SHA256())))

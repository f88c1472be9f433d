"""Verify ID tokens (OpenID Connect Core §3.1.3.7): what PyJWT doesn't check is checked here."""

from hashlib import sha256, sha384, sha512
from typing import Any

import jwt
from django.utils.http import urlsafe_base64_encode

from accounts.providers import client
from accounts.providers.exceptions import ProviderError
from accounts.providers.registry import Provider

LEEWAY = 60  # seconds by which clocks may differ
REFETCH_AFTER = 60.0  # seconds after which keys are asked for again if a token names an unknown one
_HASHES = {"256": sha256, "384": sha384, "512": sha512, "DSA": sha512}


def verify(provider: Provider, jwks_uri: str, token: object, nonce: str, access_token: object) -> dict[str, Any]:
    """Return the claims of an authentic ID token for this flow. Raise ProviderError."""
    try:
        text = token if isinstance(token, str) else ""
        key = _key(provider, jwks_uri, jwt.get_unverified_header(text).get("kid"))
        claims: dict[str, Any] = jwt.decode(
            text,
            key,
            algorithms=[provider.algorithm],
            audience=provider.client_id,
            issuer=provider.issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"], "enforce_minimum_key_length": True},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise ProviderError(f"The ID token is not valid: {error}"[:300]) from error
    if claims["nonce"] != nonce:
        raise ProviderError("The ID token is of another flow.")
    # PyJWT accepts a token for several clients; then `azp` says which of them it was issued to.
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else provider.client_id) != provider.client_id:
        raise ProviderError("The ID token was issued to another client.")
    if "at_hash" in claims and claims["at_hash"] != _half_hash(provider, access_token):
        raise ProviderError("The ID token is of another access token.")
    return claims


def _key(provider: Provider, jwks_uri: str, kid: object) -> Any:
    for max_age in (client.CACHE_LIFETIME, REFETCH_AFTER):
        found = _keys(client.cached(provider, jwks_uri, max_age))
        named = [jwk for jwk in found if kid is None or jwk.get("kid") == kid]
        if len(named) == 1:
            return jwt.PyJWK(named[0], provider.algorithm).key
    raise ProviderError(f"The ID token names no single key: {kid!r:.100}")


def _keys(document: object) -> list[dict[str, Any]]:
    """Return the public keys for signatures in a JWK Set, of whatever shape it is."""
    keys = document.get("keys") if isinstance(document, dict) else None
    found = [jwk for jwk in keys if isinstance(jwk, dict)] if isinstance(keys, list) else []
    return [jwk for jwk in found if jwk.get("use", "sig") == "sig" and "d" not in jwk]


def _half_hash(provider: Provider, access_token: object) -> str:
    full = _HASHES[provider.algorithm[-3:]](str(access_token).encode()).digest()
    return urlsafe_base64_encode(full[: len(full) // 2])

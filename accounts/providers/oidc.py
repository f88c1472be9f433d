"""Speak OpenID Connect: the authorization code flow with PKCE. What GitHub does in another way is in github.py."""

from base64 import b64encode
from datetime import datetime
from time import time
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import ProviderFlow
from accounts.models.factors import digest
from accounts.models.providers import LONGEST_SUBJECT
from accounts.providers import client, flows, github, id_tokens
from accounts.providers.exceptions import ProviderError
from accounts.providers.person import Person, is_short_text, valid_email
from accounts.providers.registry import Provider

Purpose = ProviderFlow.Purpose

# What users can show, of RFC 8176. That their browser is trusted ("rba") only this site can say. A session has room for
# all of these beside its own.
AMR = ("pwd", "pin", "otp", "sms", "tel", "hwk", "swk", "sc", "face", "fpt", "iris", "user", "mfa")
LONGEST_ACR = 32
CANCELLED = ("access_denied", "user_cancelled_authorize")  # the latter is Apple's


def authorization_url(provider: Provider, secret: str, purpose: Purpose, redirect_uri: str) -> str:
    """Return where to send the browser. Raise ProviderError if the provider cannot be asked."""
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(provider.scopes),
        "state": digest(secret),
        "code_challenge": flows.challenge(secret),
        "code_challenge_method": "S256",
    }
    if provider.kind == "oidc":
        asked |= {"nonce": flows.nonce(secret), "ui_locales": get_language() or ""}
    if provider.response_mode != "query":
        asked["response_mode"] = provider.response_mode
    if purpose == Purpose.REAUTHENTICATE:
        asked |= {"prompt": "login", "max_age": "0"}
    endpoint = _metadata(provider)["authorization_endpoint"]
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def redeem(provider: Provider, flow: ProviderFlow, secret: str, answer: dict[str, str], redirect_uri: str) -> Person:
    """Return who the provider says it is, in exchange for the code in its answer. Raise ProviderError."""
    metadata = _metadata(provider)
    # One provider must not pass its answer off as another's (RFC 9207).
    promised = metadata.get("authorization_response_iss_parameter_supported") is True
    if answer.get("iss", "" if promised else metadata["issuer"]) != metadata["issuer"]:
        raise ProviderError("The answer is another issuer's.")
    if "error" in answer or not answer.get("code"):
        cancelled = _("You cancelled signing in with %(provider)s.") % {"provider": provider}
        sentence = cancelled if answer.get("error") in CANCELLED else ""
        raise ProviderError(f"The provider has refused: {answer.get('error', '')!r:.100}", sentence)
    sent = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": redirect_uri,
        "code_verifier": flows.verifier(secret),
    }
    tokens = client.fetch(provider, metadata["token_endpoint"], *_authenticated(provider, metadata, sent))
    if not isinstance(tokens, dict):
        raise ProviderError("The token response is no object.")
    if provider.kind == "github":
        return github.person(provider, tokens)
    nonce = flows.nonce(secret)
    claims = id_tokens.verify(provider, metadata["jwks_uri"], tokens.get("id_token"), nonce, tokens.get("access_token"))
    if flow.purpose == Purpose.REAUTHENTICATE:
        _check_auth_time(provider, claims.get("auth_time"), flow.created_at)
    if claims.get("email") is None and "userinfo_endpoint" in metadata:
        claims |= _userinfo(provider, metadata["userinfo_endpoint"], tokens, claims["sub"])
    return _person(provider, claims)


def _metadata(provider: Provider) -> dict[str, Any]:
    """Return what the provider says of itself. Raise ProviderError."""
    if provider.kind == "github":
        return github.metadata(provider)

    def check(metadata: Any) -> None:
        if not isinstance(metadata, dict) or metadata.get("issuer") != provider.issuer:
            raise ProviderError(f"{url} is another issuer's.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            client.checked_url(provider, metadata.get(name))

    url = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
    return client.cached(provider, url, check=check)


def _authenticated(
    provider: Provider, metadata: dict[str, Any], sent: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the form and the headers that show who we are, in the way that the provider takes."""
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if isinstance(methods, list) and "client_secret_basic" not in methods:
        return {**sent, "client_id": provider.client_id, "client_secret": provider.client_secret}, {}
    pair = f"{quote(provider.client_id, safe='')}:{quote(provider.client_secret, safe='')}"
    return sent, {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _userinfo(provider: Provider, url: object, tokens: dict[str, Any], subject: str) -> dict[str, Any]:
    """Return what the provider keeps out of ID tokens (OpenID Connect Core §5.3 and §5.4). Raise ProviderError."""
    claims = client.fetch(provider, url, headers=client.bearer(tokens))
    if not isinstance(claims, dict) or claims.get("sub") != subject:
        raise ProviderError("The userinfo is not that of the ID token's subject.")
    return {name: claims.get(name) for name in ("email", "email_verified", "preferred_username")}


def _check_auth_time(provider: Provider, auth_time: object, asked_at: datetime) -> None:
    """Refuse an authentication that was before it was asked for: the provider must have asked anew."""
    earliest, latest = asked_at.timestamp() - id_tokens.LEEWAY, time() + id_tokens.LEEWAY
    if isinstance(auth_time, bool) or not isinstance(auth_time, int | float) or not earliest <= auth_time <= latest:
        text = _("%(provider)s didn't ask you to sign in again. To confirm it's you, sign out here and sign in again.")
        raise ProviderError("The provider has not asked anew.", text % {"provider": provider})


def _person(provider: Provider, claims: dict[str, Any]) -> Person:
    """Return what counts of the claims, most of whose types nobody has checked so far."""
    subject, email, name = claims["sub"], valid_email(claims.get("email")), claims.get("preferred_username")
    if not subject or not is_short_text(subject, LONGEST_SUBJECT):
        raise ProviderError("The subject is not one.")
    amr, acr = claims.get("amr"), claims.get("acr")
    believed = provider.trusted_for_authentication
    return Person(
        subject=subject,
        email=email,
        owns_email=bool(email) and provider.trusted_for_emails and claims.get("email_verified") is True,
        name=name if isinstance(name, str) else "",
        amr=tuple(each for each in AMR if each in amr) if believed and isinstance(amr, list) else (),
        acr=acr if believed and isinstance(acr, str) and is_short_text(acr, LONGEST_ACR) else "",
    )

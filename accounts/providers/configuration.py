"""Say what is wrong with PROVIDERS: to project/environment.py, before there are settings, and to a system check."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

GITHUB = "https://github.com"
SCOPES = {"oidc": ("openid", "email", "profile"), "github": ("read:user", "user:email")}
NEEDED = {"oidc": {"openid"}, "github": {"user:email", "user"}}  # one of these
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
MODES = ("query", "form_post")
NAMES_TAKEN = ("password", "passkey", "api", "moved", "other")  # by tokens.models.choices.Method
LONGEST_ISSUER = 200
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")  # where plain http will do
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(
        ("name", "label", "kind", "issuer", "client_id", "client_secret", "algorithm", "response_mode"), str
    ),
    **dict.fromkeys(("trusted_for_emails", "trusted_for_authentication", "private_network"), bool),
    "scopes": (list, tuple),
}


def problems(providers: object, *, secrets: bool) -> Iterator[str]:
    """Yield what is wrong; `secrets` says whether each must have its client_secret by now, or must not have it yet."""
    if not isinstance(providers, list | tuple):
        yield "it must be a list"
        return
    found = [problem for each in providers if (problem := _problem(each, secrets))]
    yield from found
    if found:
        return
    for part in ("name", "issuer"):
        if len({each.get(part, GITHUB) for each in providers}) < len(providers):
            yield f"two have the same {part}"


def _problem(given: object, secrets: bool) -> str:
    if not isinstance(given, dict) or not re.fullmatch("[a-z][a-z0-9]{1,15}", str(given.get("name"))):
        return "each must have a name of 2 to 16 small letters and digits"
    name: str = given["name"]
    if name in NAMES_TAKEN:
        return f"{name} says something else in a session"
    for key, value in given.items():
        if key not in _TYPES or not isinstance(value, _TYPES[key]):
            return f"{name} must not have {key!r}, or not this value"
    if bool(given.get("client_secret")) != secrets:
        return f"{name} must have its client_secret{'' if secrets else ' in a variable'}"
    return next((f"{name} must have {wanted}" for wanted in _lacking({"kind": "oidc", **given})), "")


def _lacking(parts: dict[str, Any]) -> Iterator[str]:
    kind, private = parts["kind"], parts.get("private_network", False)
    if kind not in SCOPES or not parts.get("client_id"):
        yield f"a client_id, and be of kind {' or '.join(SCOPES)}"
        return
    issuer = parts.get("issuer", GITHUB if kind == "github" else "")
    if len(issuer) > LONGEST_ISSUER or not _is_issuer(issuer, private):
        yield "an issuer such as https://accounts.example.org"
    if NEEDED[kind].isdisjoint(map(str, parts.get("scopes", SCOPES[kind]))):
        yield f"the scope {' or '.join(sorted(NEEDED[kind]))}"
    if parts.get("algorithm", "RS256") not in ALGORITHMS:
        yield f"one of the algorithms {', '.join(ALGORITHMS)}"
    if parts.get("response_mode", "query") not in MODES:
        yield f"a response_mode of {' or '.join(MODES)}"


def _is_issuer(issuer: str, private: bool) -> bool:
    try:
        url = urlsplit(issuer)
    except ValueError:
        return False
    plain = private and url.scheme == "http" and url.hostname in THIS_MACHINE
    return (url.scheme == "https" or plain) and bool(url.hostname) and not url.query

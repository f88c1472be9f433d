"""Speak GitHub's OAuth 2, which has no ID token: its API says who it is. Users are known by their number."""

from typing import Any

from accounts.providers import client
from accounts.providers.configuration import GITHUB
from accounts.providers.exceptions import ProviderError
from accounts.providers.person import Person, valid_email
from accounts.providers.registry import Provider


def metadata(provider: Provider) -> dict[str, Any]:
    """Return what an issuer with discovery would say; GitHub Enterprise has the same under its own name."""
    return {
        "issuer": f"{provider.issuer}/login/oauth",
        "authorization_endpoint": f"{provider.issuer}/login/oauth/authorize",
        "token_endpoint": f"{provider.issuer}/login/oauth/access_token",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }


def person(provider: Provider, tokens: dict[str, Any]) -> Person:
    """Return whose access token this is. Raise ProviderError."""
    api = "https://api.github.com" if provider.issuer == GITHUB else f"{provider.issuer}/api/v3"
    headers = {**client.bearer(tokens), "X-GitHub-Api-Version": "2022-11-28"}
    user = client.fetch(provider, f"{api}/user", headers=headers)
    emails = client.fetch(provider, f"{api}/user/emails", headers=headers)
    if not isinstance(user, dict) or type(user.get("id")) is not int or not 0 < user["id"] < 2**63:
        raise ProviderError("GitHub doesn't say who it is.")
    listed = [each for each in emails if isinstance(each, dict)] if isinstance(emails, list) else []
    primary = next((each for each in listed if each.get("primary") is True), {})
    email, login = valid_email(primary.get("email")), user.get("login")
    return Person(
        subject=str(user["id"]),
        email=email,
        owns_email=bool(email) and provider.trusted_for_emails and primary.get("verified") is True,
        name=login if isinstance(login, str) else "",
    )

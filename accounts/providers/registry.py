"""Tell which providers there are: PROVIDERS, which accounts/providers/configuration.py has checked."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from accounts.models import Identity
from accounts.providers.configuration import GITHUB, SCOPES

# How providers that everybody knows write themselves, by the host of their issuer. Their logos are templates/icons.
BRANDS = {
    "accounts.google.com": "Google",
    "appleid.apple.com": "Apple",
    "github.com": "GitHub",
    "gitlab.com": "GitLab",
    "login.microsoftonline.com": "Microsoft",
}


@dataclass(frozen=True, slots=True)
class Provider:
    """Describe a provider, and what is believed of what it says."""

    name: str  # in URLs, in the rows of sessions, and in the name of the variable with the secret
    client_id: str
    client_secret: str
    issuer: str = GITHUB
    label: str = ""
    kind: str = "oidc"  # or "github"
    scopes: tuple[str, ...] = SCOPES["oidc"]
    algorithm: str = "RS256"  # of ID tokens: no other is accepted
    response_mode: str = "query"  # or "form_post"
    trusted_for_emails: bool = False  # whether an email that it calls verified counts as confirmed
    trusted_for_authentication: bool = False  # whether its `amr` and `acr` count, such as a second factor
    private_network: bool = False  # whether its servers may have private addresses

    def __str__(self) -> str:
        return self.label or self.brand or self.name.capitalize()

    @property
    def brand(self) -> str:
        """Return the name of its brand, if that is one of BRANDS."""
        return "GitHub" if self.kind == "github" else BRANDS.get(urlsplit(self.issuer).hostname or "", "")

    @property
    def logo(self) -> str:
        """Return the template with its logo, or ""."""
        return f"icons/{self.brand.lower()}.svg" if self.brand else ""

    @property
    def asks_anew(self) -> bool:
        """Return whether it can be told to ask users to sign in anew; Google and GitHub can't."""
        return self.brand not in ("GitHub", "Google")


def providers() -> list[Provider]:
    """Return all providers, in the order of their buttons."""
    return [Provider(**{"scopes": SCOPES[each.get("kind", "oidc")], **each}) for each in settings.PROVIDERS]


def find(name: str) -> Provider | None:
    """Return the provider of this name, or None."""
    return next((provider for provider in providers() if provider.name == name), None)


def label(identity: Identity) -> str:
    """Return what its provider is called, which may have another name by now, or be gone."""
    named = (provider for provider in providers() if provider.issuer == identity.issuer)
    return str(next(named, identity.provider))

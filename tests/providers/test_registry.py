"""What is known of a provider by its issuer: how it writes itself, and its logo."""

import pytest
from django.template.loader import get_template

from accounts.providers.registry import BRANDS, Provider


@pytest.mark.parametrize(
    ("about", "label", "logo"),
    [
        *(({"issuer": f"https://{host}/x"}, brand, f"icons/{brand.lower()}.svg") for host, brand in BRANDS.items()),
        ({"issuer": "https://git.example.org", "kind": "github"}, "GitHub", "icons/github.svg"),
        ({"issuer": "https://gitlab.com", "label": "Our GitLab"}, "Our GitLab", "icons/gitlab.svg"),
        ({"issuer": "https://gitlab.com.example.org"}, "Acme", ""),
        ({"issuer": "https://example.org/accounts.google.com"}, "Acme", ""),
    ],
)
def test_a_brand_is_known_by_the_host_of_its_issuer(about, label, logo):
    provider = Provider(name="acme", client_id="us", client_secret="", **about)
    assert (str(provider), provider.logo) == (label, logo)
    if logo:
        get_template(logo)

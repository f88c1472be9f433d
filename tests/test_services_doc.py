"""What docs/services.md tells neighbours to write, run as it stands there against a server on a socket."""

import re
from pathlib import Path

import jwt
import pytest

from tests.conftest import PASSWORD
from tests.tokens.clock import jar
from tokens import jwks, keyfile
from tokens.testing import Client

PAGE = Path(__file__).parent.parent / "docs" / "services.md"


@pytest.fixture
def neighbour(live_server, settings, tmp_path):
    """The function of the page, for this server; its keys are public ones."""
    path = tmp_path / "keys.json"
    keyfile.write(path, {"keys": [jwks.generate("ES256", jwks.NEXT), jwks.generate("ES256")]})
    settings.TOKENS_KEYS, settings.TOKENS_ISSUER = str(path), live_server.url
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    exec(code.replace("https://example.org", live_server.url), names)  # noqa: S102
    return names["claims_of"]


@pytest.fixture
def tokens(bob):
    client = Client()
    client.post("/accounts/login/", {"username": "bob", "password": PASSWORD})
    return jar(client)


def test_a_neighbour_learns_who_asks(neighbour, tokens, bob):
    claims = neighbour(tokens["access"])
    assert (claims["sub"], claims["username"], claims["is_staff"]) == (str(bob.pk), "bob", False)


def test_a_refresh_token_is_no_access_token(neighbour, tokens):
    with pytest.raises(jwt.InvalidTokenError):
        neighbour(tokens["refresh"])


def test_a_damaged_token_is_none(neighbour, tokens):
    with pytest.raises(jwt.InvalidTokenError):
        neighbour(tokens["access"][:-4] + "AAAA")

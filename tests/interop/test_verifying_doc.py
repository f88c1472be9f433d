"""Run the code of docs/howto/neighbours.md, in Python and in Node, against a server on a socket."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from django.test import Client

from tests.conftest import PASSWORD
from tests.interop import forgeries
from tests.interop.forgeries import real_of
from tests.interop.service import programs
from tokens.core import keyfile
from tokens.core import keys as signing_keys

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "neighbours.md").read_text()
[PYTHON] = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
OTHERS = {path.suffix: path.read_text() for path in (ROOT / "examples" / "other_languages").iterdir()}
SITE = "https://example.org"
ASK = """
import {{ claimsOf }} from "./{name}";
import {{ json }} from "node:stream/consumers";

const read = async (token) => claimsOf(token).catch((error) => `${{error.code}}`);
console.log(JSON.stringify(await Promise.all((await json(process.stdin)).map(read))));
"""
# What the blocks do not promise: the status list, and an id for each token.
BEYOND = re.compile(r"of a status list|with a status list|at the place|with the status|without jti")


@pytest.fixture
def keys(live_server, settings, tmp_path):
    """Give this server public keys and its own URL as issuer."""
    entries = [signing_keys.generate_jwk("ES256", signing_keys.NEXT), signing_keys.generate_jwk("ES256")]
    keyfile.write(tmp_path / "keys.json", {"keys": entries})
    settings.TOKENS_KEYS, settings.TOKENS_ISSUER = str(tmp_path / "keys.json"), live_server.url
    settings.TOKENS_STATUS_LIST = 2**20
    return entries


@pytest.fixture
def real(keys, bob):
    """Return Bob's tokens and the key that signed them."""
    body = {"username": "bob", "password": PASSWORD}
    return real_of(Client().post("/api/auth/login", body, content_type="application/json").json(), keys[1])


@pytest.fixture
def python(live_server):
    def read(token):
        try:
            return names["claims_of"](token)
        except names["jwt"].PyJWTError as error:
            return type(error).__name__

    names: dict = {}
    exec(PYTHON.replace(SITE, live_server.url), names)  # noqa: S102
    return lambda tokens: list(map(read, tokens))


@pytest.fixture
def js(live_server, node_service):
    def read(tokens):
        (node_service / "page.mjs").write_text(OTHERS[".js"].replace(SITE, live_server.url))
        (node_service / "ask.mjs").write_text(ASK.format(name="page.mjs"))
        command = [programs() / "bin/node", "ask.mjs"]
        given = json.dumps(tokens)
        done = subprocess.run(command, cwd=node_service, input=given, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return read


@pytest.fixture(params=["python", "js"])
def neighbour(request, keys):
    """Return the function: for each of some tokens it gives the claims, or the name of an error."""
    return request.getfixturevalue(request.param)


def test_a_neighbour_learns_who_asks_and_takes_nothing_else(neighbour, real, bob, live_server):
    forged = forgeries.all_of(real, elsewhere=f"{live_server.url}/elsewhere")
    forged = {name: token for name, token in forged.items() if not BEYOND.search(name)}
    claims, *rest = neighbour([real.access, *forged.values()])
    assert (claims["sub"], claims["username"], claims["is_staff"]) == (str(bob.pk), "bob", False)
    taken = [name for name, answer in zip(forged, rest, strict=True) if not isinstance(answer, str)]
    assert len(forged) > 80 and taken == []
    assert len(set(rest)) > 5  # not all for one reason


def test_each_language_names_all_that_is_to_be_compared():
    assert len(OTHERS) == 5
    for code in (PYTHON, *OTHERS.values()):
        for said in ("ES256", "at+jwt", SITE, "aud", "iss"):
            assert said.lower() in code.lower(), (said, code)

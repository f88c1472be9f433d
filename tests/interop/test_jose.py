"""jose, the JavaScript library, reads what is signed here, and what it makes is read here."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from django.test import Client

from tests.conftest import PASSWORD
from tests.interop.service import programs
from tests.security.forging import part
from tokens import cookies, verification
from tokens.core import keyfile
from tokens.core import keys as signing_keys

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.django_db]

SCRIPT = Path(__file__).parent / "jose.mjs"
ISSUER = "https://sojourn.example"


@pytest.fixture(scope="module")
def keys():
    """A key for each algorithm; RSA keys take their time."""
    return {alg: signing_keys.generate_jwk(alg) for alg in signing_keys.KINDS}


@pytest.fixture(scope="module")
def script(node_service):
    return shutil.copy(SCRIPT, node_service)


@pytest.fixture(params=signing_keys.KINDS)
def token(request, keys, settings, tmp_path, bob):
    """Bob's access token, signed with a key of this kind."""
    path = tmp_path / "keys.json"
    keyfile.write(path, {"keys": [keys[request.param]]})
    settings.TOKENS_KEYS, settings.TOKENS_ISSUER = str(path), ISSUER
    body = {"username": "bob", "password": PASSWORD}
    return Client().post("/api/auth/login", body, content_type="application/json").json()["access"]


@pytest.fixture
def answer(token, keys, script):
    """What jose makes of the token."""
    header, claims = (json.loads(part(token, place)) for place in (0, 1))
    published = Client().get("/.well-known/jwks.json").json()
    given = {
        "token": token,
        "header": header,
        "claims": claims,
        "jwks": published,
        "issuer": ISSUER,
        "audience": ISSUER,
    }
    given |= {"key": keys[header["alg"]], "symmetric": header["alg"] == "HS256"}
    command = [programs() / "bin/node", script]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def opens(token):
    """Where the token makes somebody of a visitor: in the header of a call, in the cookie of a page."""
    visitor = Client()
    visitor.cookies[cookies.access_name()] = token
    page = visitor.get("/")
    assert page.status_code == 200
    call = Client().get("/api/me", headers={"authorization": f"Bearer {token}"})
    assert call.status_code in (200, 401)
    return {"page": 'action="/accounts/logout/"' in page.content.decode(), "call": call.status_code == 200}


def test_it_reads_what_is_signed_here(token, answer):
    assert answer["read"] == json.loads(part(token, 1))


def test_what_it_makes_is_read_here(token, answer):
    assert verification.verify_access(answer["good"]) == verification.verify_access(token)
    assert opens(answer["good"]) == {"page": True, "call": True}

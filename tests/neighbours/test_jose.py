"""jose, the JavaScript library, reads what is signed here; what it makes is taken only if nothing is wrong with it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from tests.conftest import PASSWORD
from tests.neighbours.service import programs
from tests.tokens.forge import part
from tokens import cookies, verification
from tokens.core import keyfile, keys
from tokens.core.exceptions import InvalidToken

pytestmark = [pytest.mark.once, pytest.mark.django_db]

SCRIPT = Path(__file__).parent / "jose.mjs"
ISSUER = "https://sojourn.example"


@pytest.fixture(scope="module")
def pairs():
    """Two keys for each algorithm; RSA keys take their time."""
    return {alg: (keys.generate_jwk(alg), keys.generate_jwk(alg)) for alg in keys.KINDS}


@pytest.fixture(scope="module")
def script(node_service):
    return shutil.copy(SCRIPT, node_service)


@pytest.fixture(params=keys.KINDS)
def token(request, pairs, settings, tmp_path, bob):
    """Bob's access token, signed with a key of this kind."""
    path = tmp_path / "keys.json"
    keyfile.write(path, {"keys": [pairs[request.param][0]]})
    settings.TOKENS_KEYS, settings.TOKENS_ISSUER = str(path), ISSUER
    body = {"username": "bob", "password": PASSWORD}
    return Client().post("/api/auth/login", body, content_type="application/json").json()["access"]


@pytest.fixture
def answer(token, pairs, script):
    """What jose makes of the token."""
    header, claims = (json.loads(part(token, place)) for place in (0, 1))
    published = Client().get("/.well-known/jwks.json").json()
    given = {"token": token, "header": header, "claims": claims, "jwks": published}
    given |= {"issuer": ISSUER, "audience": ISSUER} | halves(*pairs[header["alg"]])
    command = [programs() / "bin/node", script]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def halves(entry, other):
    key, others = (keys.parse_jwks({"keys": [each]}).current for each in (entry, other))
    if key.public is None:
        return {"key": entry, "other": other}
    pem = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"key": entry, "other": other, "public": key.jwk, "otherPublic": others.jwk, "pem": pem}


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


def test_what_is_wrong_in_any_way_is_taken_nowhere(answer):
    bad = answer["bad"]
    assert len(bad) >= 27
    for name, token in bad.items():
        assert opens(token) == {"page": False, "call": False}, name
    del bad["expired"]  # it is authentic, and no more
    assert len({cause(token) for token in bad.values()}) >= 9  # not all for one reason


def cause(token):
    with pytest.raises(InvalidToken) as caught:
        verification.verify_access(token)
    return str(caught.value)

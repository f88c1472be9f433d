"""Sign-ins on the pages of tests/tokens/urls.py."""

import pytest

from tests.conftest import PASSWORD
from tokens import signals
from tokens.core import keyfile, keys
from tokens.testing import Client


@pytest.fixture(autouse=True)
def _reads_name_their_database(settings):
    settings.DATABASE_ROUTERS = ["tests.tokens.replica.Router"]


@pytest.fixture
def signed_in():
    """`signed_in(user)`: a browser in which `user` has just signed in by the form."""

    def signed_in(user, **fields):
        client = Client()
        response = client.post("/log-in/", {"username": user.username, "password": PASSWORD, **fields})
        assert response.content.decode() == user.username
        return client

    return signed_in


@pytest.fixture
def told():
    """The signals that were sent, by name."""
    names = ("session_started", "session_ended", "sessions_revoked", "reuse_found")
    sent = []
    receivers = {}
    for name in names:
        receivers[name] = lambda name=name, **about: sent.append((name, about))
        getattr(signals, name).connect(receivers[name])
    yield sent
    for name in names:
        getattr(signals, name).disconnect(receivers[name])


@pytest.fixture
def visitor(bob, signed_in):
    """The browser in which Bob has just signed in."""
    return signed_in(bob)


@pytest.fixture
def name_on():
    """`name_on(client)`: whom the next page takes the visitor for, after the redirects that browsers follow."""

    def name_on(client, url="/who/"):
        response = client.get(url, follow=True)
        assert response.status_code == 200, response.content
        return response.content.decode()

    return name_on


@pytest.fixture
def status_list(settings, tmp_path):
    """The status list is on, with room for 1,024 sign-ins, and neighbours can verify it."""
    keyfile.write(tmp_path / "keys.json", {"keys": [keys.generate_jwk("ES256")]})
    settings.TOKENS_KEYS, settings.TOKENS_STATUS_LIST = str(tmp_path / "keys.json"), 1024

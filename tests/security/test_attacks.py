"""The known attacks on JWTs (RFC 8725 §2 and the lists that testers work through), over HTTP, on real sessions."""

import json
import socket
from contextlib import closing
from uuid import uuid4

import pytest
from django.conf import settings
from django.core import signing

from accounts.security.reset_tokens import reset_tokens
from tests.security.corpus import ACCESS, PROBE, REFRESH
from tests.security.forging import Real, altered, forged, irregular, members
from tokens.core import keys
from tokens.models import RefreshToken

SESSIONS = "/accounts/sessions/"

pytestmark = [pytest.mark.django_db, pytest.mark.once]


@pytest.fixture
def elsewhere():
    """The URL of a server that nobody may call: at the end it has never been called."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setblocking(False)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.fixture
def signed_by(settings, tmp_path, request):
    """`signed_by(alg)`: make the site sign with such a key, and return Bob's tokens."""

    def signed_by(alg):
        path = tmp_path / "keys.json"
        path.write_text(json.dumps({"keys": [keys.generate_jwk(alg)]}))
        settings.TOKENS_KEYS = str(path)
        real = request.getfixturevalue("real")
        assert members(real.refresh, 0)["alg"] == alg
        return Real(real.access, real.refresh, keys.parse_jwks(json.loads(path.read_text())).current)

    return signed_by


def check(opens, real, forgeries):
    """Check that none of the `forgeries` of either token opens a page, and that both tokens still do."""
    for name in (ACCESS, REFRESH):
        token = real.by(name)
        assert [what for what, text in forgeries(token).items() if opens(f"{name}={text}")] == [], name
        assert opens(f"{name}={token}")
        assert opens(f"{name}={altered(token, real.key)}")


@pytest.mark.parametrize("alg", keys.KINDS)
def test_no_forged_token_opens_whatever_the_algorithm_of_the_key(opens, signed_by, elsewhere, alg):
    real = signed_by(alg)
    check(opens, real, lambda token: forged(token, real.key, elsewhere))


def test_no_token_in_another_form_than_ours_opens_though_our_key_signed_it(opens, real):
    check(opens, real, lambda token: irregular(token, real.key))


def test_the_session_of_somebody_else_opens_nothing(opens, real, alice, wsgi):
    """Subject and session have to belong together as soon as the row is read."""
    assert not opens(f"{REFRESH}={altered(real.refresh, real.key, payload={'sub': str(alice.pk)})}")
    access = altered(real.access, real.key, payload={"sub": str(alice.pk)})
    assert wsgi.get(SESSIONS, f"{ACCESS}={access}".encode()).status == 302


def test_no_private_key_is_published(signed_by, wsgi):
    key = signed_by("RS256").key
    [published] = json.loads(wsgi.get("/.well-known/jwks.json").body)["keys"]
    assert published["kid"] == key.kid
    assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & published.keys()


class TestOtherTokensOfOurs:
    """Each thing that this site signs or draws, in the place of each other."""

    def test_the_two_tokens_are_not_interchangeable(self, opens, real):
        assert not opens(f"{ACCESS}={real.refresh}; {REFRESH}={real.access}")
        for name, other, typ in ((ACCESS, real.refresh, "at+jwt"), (REFRESH, real.access, "rt+jwt")):
            assert not opens(f"{name}={other}")
            token = altered(other, real.key, header={"typ": typ}, payload={"aud": settings.TOKENS_ISSUER})
            assert not opens(f"{name}={token}")

    def test_nothing_else_opens(self, opens, real, bob, wsgi):
        form = wsgi.get("/accounts/login/")
        for other in (
            reset_tokens.make_token(bob),
            form.cookies["__Host-csrftoken"],
            signing.dumps([str(uuid4()), str(uuid4())], salt="tokens.probe"),
            signing.dumps({"_auth_user_id": str(bob.pk)}, salt="django.contrib.sessions.backends.signed_cookies"),
            str(RefreshToken.objects.get().pk),
        ):
            assert not opens("; ".join(f"{name}={other}" for name in (ACCESS, REFRESH, PROBE)))

    def test_a_django_session_that_says_who_is_signed_in_opens_nothing(self, opens, bob):
        """Well signed, as Django's own log-in would have left it."""
        session = {
            "_auth_user_id": str(bob.pk),
            "_auth_user_backend": settings.AUTHENTICATION_BACKENDS[0],
            "_auth_user_hash": bob.get_session_auth_hash(),
        }
        value = signing.dumps(session, salt="django.contrib.sessions.backends.signed_cookies", compress=True)
        assert not opens(f"__Host-session={value}")
        assert not opens(f"sessionid={value}")

    def test_no_header_but_the_cookie_opens(self, wsgi, real):
        for name, value in {
            "Authorization": f"Bearer {real.access}",
            "X_Access_Token": real.access,
            "X_Forwarded_User": "bob",
            "Remote_User": "bob",
        }.items():
            assert wsgi.get(SESSIONS, **{name: value}).status == 302, name

    def test_no_token_in_a_url_or_a_form_opens(self, wsgi, real):
        for name in ("access_token", "token", ACCESS):
            assert wsgi.get(f"{SESSIONS}?{name}={real.access}").status == 302
            assert wsgi.post(f"{SESSIONS}end-all/", fields={name: real.access}).status in (302, 403)
        assert RefreshToken.objects.get().is_live

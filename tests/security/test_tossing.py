"""Cookies that a neighbour on the domain tosses into the jar, over a real socket: octets, not a client's idea of them.

A neighbour may not set `__Host-` names; but it may set names that a careless reader takes for them, a second cookie
of the same name, and as many as it likes. It holds an account of its own, and so tokens that are good.
"""

import pytest

from tests.security.conftest import real_of
from tests.security.corpus import ACCESS, REFRESH, STRAY, pair

pytestmark = pytest.mark.once

HOME = "/"
SOME = {name: STRAY[name] for name in ("U+2000", "the octet A0")}


@pytest.fixture(scope="module")
def attacker(production, server):
    """Bob, signed in, who owns the neighbouring site."""
    return real_of(server, "bob", production.passwords["bob"], production.secret)


@pytest.fixture
def alice(production, server):
    """Alice's own jar; fresh, because production's tokens last three seconds."""
    answer, jar = server.sign_in("alice", production.passwords["alice"])
    assert answer.status == 302
    return jar


def name_at(server, jar):
    """Whose page it is: the names stand beside the button that signs out."""
    page = server.get(HOME, jar).text
    if 'action="/accounts/logout/"' not in page:
        return None
    return next(name for name in ("alice", "bob") if name in page)


def test_the_attackers_tokens_are_good_under_their_own_names(server, attacker):
    """Or else nothing here could fail."""
    assert name_at(server, f"{REFRESH}={attacker.refresh}".encode()) == "bob"


def test_nor_does_it_push_out_who_is_signed_in(server, attacker, alice):
    for what, before in STRAY.items():
        assert name_at(server, pair(attacker, before) + b"; " + alice) == "alice", what
        assert name_at(server, alice + b"; " + pair(attacker, before)) == "alice", what


def test_a_second_cookie_of_the_same_name_signs_the_attacker_in_to_nobody(server, attacker, alice):
    for jar in (pair(attacker) + b"; " + alice, alice + b"; " + pair(attacker)):
        assert name_at(server, jar) is None


def test_a_second_header_signs_the_attacker_in_to_nobody(server, attacker, alice):
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: %b\r\nCookie: %b\r\n\r\n"
    for first, second in ((alice, pair(attacker)), (pair(attacker), alice)):
        page = server.raw(request % (first, second)).text
        assert "bob" not in page


@pytest.mark.parametrize("before", SOME.values(), ids=SOME)
class TestTheOtherCookies:
    """The CSRF token's, the session's and the messages'."""

    def test_a_forged_csrf_cookie_keeps_nobody_from_logging_in_and_proves_nothing(self, production, server, before):
        """The attacker knows the token that fits the cookie which he has tossed."""
        forged, password = before + b"__Host-csrftoken=" + b"a" * 32, production.passwords["bob"]
        for first in (True, False):
            form = server.get("/accounts/login/", b"")
            answer, _ = server.sign_in("bob", password, forged, first=first, form=form)
            assert answer.status == 302
        fields = {"csrfmiddlewaretoken": "a" * 32, "username": "bob", "password": password}
        answer = server.post("/accounts/login/", b"x=1; " + forged, fields)
        assert answer.status == 403
        assert not answer.cookies.keys() & {ACCESS, REFRESH}

    def test_forged_messages_are_not_shown(self, server, before):
        """Well signed: the site itself said so, to the attacker."""
        form = server.get("/accounts/login/")
        jar = f"__Host-csrftoken={form.cookies['__Host-csrftoken']}".encode()
        said = server.post("/accounts/logout/", jar, {"csrfmiddlewaretoken": form.form_token})
        messages = f"__Host-messages={said.cookies['__Host-messages']}".encode()
        plain, shown, tossed = (
            server.get("/accounts/login/", cookie).text.count('role="status"')
            for cookie in (b"", messages, b"x=1; " + before + messages)
        )
        assert shown == plain + 1
        assert tossed == plain

"""`manage.py inspecttoken`: it says what the site says, and believes nothing."""

import io
import os
import pty
import subprocess
import sys
from dataclasses import replace
from time import time

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client, RequestFactory

from tests.security.forging import altered, base64url, part, raw, with_header, with_payload
from tests.settings import FOLDER
from tests.tokens.clock import age, elapse, jar
from tests.tokens.outage import gone
from tokens import bearer, verification
from tokens.conf import conf
from tokens.core import jwt, keyfile
from tokens.core import keys as signing_keys
from tokens.core.exceptions import ExpiredToken
from tokens.core.keys import derive, derived_ring
from tokens.management.inspection import in_words
from tokens.models import RefreshToken

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tokens.urls")]

SHAPE = "The token is not three parts of the base64url alphabet."
LONG = "The token is longer than 2,048 characters."
STRICT = "The payload is not strict JSON in UTF-8."


@pytest.fixture
def inspect(monkeypatch, capsys):
    """`inspect(given)`: the lines that the command prints about what came on standard input, and its verdict."""

    def inspect(given):
        octets = given if isinstance(given, bytes) else given.encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(octets)))
        try:
            call_command("inspecttoken")
            code = 0
        except SystemExit as stopped:
            code = stopped.code
        out, err = capsys.readouterr()
        assert err == "" and out.isascii() and not set(map(ord, out)) - {10, *range(32, 127)}
        parts = octets.decode("latin-1").split(".")
        assert not [shown for shown in parts if len(shown) > 12 and shown in out]
        *lines, verdict = out.splitlines()
        assert code == (verdict != "It would be accepted.")
        return lines, verdict.removeprefix("It would be rejected: ")

    return inspect


@pytest.fixture
def here(bob, signed_in):
    return signed_in(bob)


@pytest.fixture
def access(here):
    return jar(here)["access"]


@pytest.fixture
def refresh(here):
    return jar(here)["refresh"]


@pytest.fixture
def key(settings):
    return derive(settings.SECRET_KEY)


def line(lines, what):
    (found,) = [line.partition(": ")[2] for line in lines if line.startswith(f"{what}: ")]
    return found


class TestAGoodToken:
    def test_access(self, inspect, access, key, bob):
        lines, verdict = inspect(access + "\n")
        assert verdict == "It would be accepted."
        assert line(lines, "kind") == "access"
        assert line(lines, "signature") == f"by our key {key.kid} (current)"
        assert line(lines, "session") == "live, generation 1, the token's is 1; ends in 23 hours"
        RefreshToken.objects.update(bound_proved_at=F("created_at"))
        assert line(inspect(access)[0], "session").startswith("live, bound to its device, generation 1,")
        assert line(lines, "times") in {f"made {n} ago, expires in 14 minutes" for n in ("0 seconds", "1 second")}
        assert lines[:4] == ["header", '  "alg": "HS256"', f'  "kid": "{key.kid}"', '  "typ": "at+jwt"']
        assert f'  "sub": "{bob.pk}"' in lines and '  "username": "bob"' in lines

    def test_a_refresh_token_lives_longer(self, inspect, here):
        elapse(3 * 3600, here)
        lines, verdict = inspect(jar(here)["refresh"])
        assert verdict == "It would be accepted."
        assert (line(lines, "kind"), line(lines, "times")) == ("refresh", "made 3 hours ago, expires in 20 hours")

    def test_the_long_form_of_its_type(self, inspect, access, key):
        lines, verdict = inspect(altered(access, key, header={"typ": "application/AT+jwt"}))
        assert (line(lines, "kind"), verdict) == ("access", "It would be accepted.")

    def test_by_a_key_that_has_been_replaced(self, inspect, access, key, settings):
        settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a newer secret of fifty letters"
        assert line(inspect(access)[0], "signature") == f"by our key {key.kid} (of SECRET_KEY_FALLBACKS)"

    def test_by_a_key_of_the_file_in_each_state(self, inspect, bob, signed_in, settings, tmp_path):
        keys = {"keys": [signing_keys.generate_jwk("ES256", signing_keys.NEXT), signing_keys.generate_jwk("ES256")]}
        settings.TOKENS_KEYS = str(tmp_path / "keys.json")
        keyfile.write(tmp_path / "keys.json", keys)
        token = jar(signed_in(bob))["access"]
        kid = keys["keys"][1]["kid"]
        assert line(inspect(token)[0], "signature") == f"by our key {kid} (current)"
        settings.TOKENS_KEYS = str(tmp_path / "rotated.json")
        keyfile.write(tmp_path / "rotated.json", signing_keys.rotate_jwks(keys, now=0))
        assert line(inspect(token)[0], "signature") == f"by our key {kid} (previous)"


class TestWhatTheSiteRefuses:
    @pytest.mark.parametrize("kind", ["access", "refresh"])
    def test_the_verdict_is_what_the_log_of_the_site_says(self, inspect, request, kind, key, caplog):
        caplog.set_level("INFO", logger="tokens")
        token = altered(request.getfixturevalue(kind), key, payload={"sub": "0x1"})
        assert Client().get("/who/", HTTP_COOKIE=f"__Host-{kind}={token}").content == b"nobody"
        assert caplog.messages == [inspect(token)[1]] == ["The subject is not a key."]

    def test_a_token_of_neither_kind(self, inspect, access, key):
        lines, verdict = inspect(altered(access, key, header={"typ": "JWT"}))
        assert (line(lines, "kind"), verdict) == ("neither", "The token is of another type.")
        assert line(lines, "signature") == f"by our key {key.kid} (current)"

    def test_an_expired_token(self, inspect, here):
        age(here, 2 * 3600)
        lines, verdict = inspect(jar(here)["access"])
        assert verdict == "The token has expired."
        assert line(lines, "times") == "made 2 hours ago, expired 1 hour ago"
        assert line(lines, "session").startswith("live")

    @pytest.mark.parametrize(
        ("kind", "lifetime"), [("access", "TOKENS_ACCESS_LIFETIME"), ("refresh", "TOKENS_IDLE_LIFETIME")]
    )
    def test_a_lifetime_that_was_shortened(self, inspect, here, settings, kind, lifetime):
        age(here, 120)
        setattr(settings, lifetime, 60)
        assert inspect(jar(here)[kind])[1] == "The token has expired."

    def test_a_session_that_has_ended(self, inspect, access, refresh):
        RefreshToken.objects.get().revoke(RefreshToken.Reason.SIGNED_OUT)
        for token in (access, refresh):
            lines, verdict = inspect(token)
            assert verdict == "The session has ended: signed_out."
            assert line(lines, "session").startswith("ended 0 seconds ago (signed out), generation 1")

    def test_a_row_that_has_gone(self, inspect, access):
        RefreshToken.objects.all().delete()
        lines, verdict = inspect(access)
        assert verdict == "The session has ended: its row does not exist."
        assert line(lines, "session") == "there is no such row"

    def test_a_password_that_was_changed_behind_djangos_back_is_seen_and_the_row_left_as_it_is(
        self, inspect, access, bob
    ):
        type(bob).objects.filter(pk=bob.pk).update(password="!")
        before = RefreshToken.objects.values().get()
        lines, verdict = inspect(access)
        assert verdict == "The session has ended: password."
        assert "password changed" in line(lines, "session")
        assert RefreshToken.objects.values().get() == before

    def test_a_stale_refresh_token(self, inspect, here, refresh, name_on):
        for _ in range(2):
            elapse(16 * 60, here)
            assert name_on(here) == "bob"
        lines, verdict = inspect(refresh)
        assert verdict == "Something newer has replaced the refresh token."
        assert line(lines, "session").startswith("live, generation 2, the token's is 1;")
        assert inspect(jar(here)["refresh"])[1] == "It would be accepted."
        assert RefreshToken.objects.get().generation == 2

    def test_an_access_token_whose_generation_was_overtaken(self, inspect, access):
        claims = verification.verify_access(access)
        lost = replace(claims, new=True, gen=5, rti="00000000-0000-7000-8000-000000000000", user={})
        token = jwt.write_access(lost, ring=conf.key_ring, issuer=conf.issuer, audience=conf.audience)
        request = RequestFactory().get("/", headers={"authorization": f"Bearer {token}"})
        with pytest.raises(ExpiredToken) as caught:
            bearer.resume(request)
        assert inspect(token)[1] == str(caught.value)
        RefreshToken.objects.update(generation=4)  # a generation behind: what the site hands out, and takes
        assert bearer.resume(request) and inspect(token)[1] == "It would be accepted."

    def test_a_database_that_is_away(self, inspect, access):
        with gone():
            lines, verdict = inspect(access)
        assert line(lines, "session") == "not known: the database does not answer"
        assert verdict == "It would be accepted."


class TestWhatAStrangerWrote:
    @pytest.mark.parametrize("given", ["a.b", "a.b.c", b"\xff\xfe.\x80.\x1b"])
    def test_garbage_is_a_sentence(self, inspect, given):
        lines, verdict = inspect(given)
        assert lines[:2] == ["header: no JSON object", "claims: no JSON object"]
        assert line(lines, "signature") == f"not verified: {verdict}"
        assert verdict.endswith(".")

    def test_escapes_do_not_reach_the_terminal(self, inspect, access, key):
        evil = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\x7f\u202e\u2028\u0000ë"
        lines, verdict = inspect(altered(access, key, header={"kid": evil}, payload={evil: evil}))
        assert verdict == "The key is not on the ring."
        assert any(
            r"\u001b]0;owned\u0007\u001b[2J\r\n\u009b31m\u007f\u202e\u2028\u0000\u00eb" in line for line in lines
        )

    def test_doubled_members_are_both_shown(self, inspect, access, key):
        lines, verdict = inspect(with_payload(access, b'{"sub":"1","sub":"2","in":{"a":1}}', key))
        assert verdict == STRICT
        assert lines[4:8] == ["claims", '  "sub": "1"', '  "sub": "2"', '  "in": {"a": 1}']
        octets = part(access, 0)[:-1] + b',"alg":"none"}'
        lines, verdict = inspect(with_header(access, octets, key))
        assert verdict == "The header is not strict JSON in UTF-8."
        assert '  "alg": "none"' in lines

    def test_however_deep_it_is_nested(self, inspect, access, key):
        for depth in (100, *range(860, 1000, 10), 3000):
            nested = b'{"typ":' + b"[" * depth + b"]" * depth + b"}"
            for token in (with_payload(access, nested, key), raw(b"{}", nested, key)):
                assert inspect(token)[1].endswith(".")

    @pytest.mark.parametrize("octets", [b"1" * 5000, b"1e999", b"-1", b"1" * 20])
    def test_whatever_stands_in_a_claim(self, inspect, access, key, octets):
        lines, verdict = inspect(with_payload(access, b'{"iat":%s,"exp":true}' % octets, key))
        assert line(lines, "times") == "it names none"
        assert max(map(len, lines)) < 400
        assert verdict in (LONG, STRICT, "The issuer is not this site.")

    def test_a_long_token_is_shown_all_the_same(self, inspect, access, key):
        lines, verdict = inspect(altered(access, key, payload={"groups": ["x" * 3000]}))
        assert (verdict, line(lines, "signature")) == (LONG, f"not verified: {LONG}")
        assert any("... (3,004 characters)" in line for line in lines)

    def test_no_algorithm_and_no_signature(self, inspect, access):
        lines, verdict = inspect(f"{base64url(b'{}')}.{access.split('.')[1]}.")
        assert verdict == SHAPE and '  "username": "bob"' in lines

    def test_what_never_ends_is_not_looked_at(self, monkeypatch):
        with open("/dev/zero") as zeros, pytest.raises(CommandError, match=r"^That's more than 16,384 bytes"):
            monkeypatch.setattr("sys.stdin", zeros)
            call_command("inspecttoken")

    @pytest.mark.parametrize("given", ["", " \n"])
    def test_nothing_is_no_token(self, inspect, given):
        with pytest.raises(CommandError, match="enter a token"):
            inspect(given)

    def test_keys_that_cannot_be_used_are_named(self, inspect, access, settings, tmp_path):
        settings.TOKENS_KEYS = str(tmp_path / "nothing.json")
        with pytest.raises(CommandError, match="TOKENS_KEYS: the file cannot be read"):
            inspect(access)


@pytest.mark.parametrize("words", [["a.b.c"], ["--token=a.b.c"]])
def test_a_token_on_the_command_line_is_refused(words):
    with pytest.raises(CommandError, match="on standard input") as caught:
        call_command("inspecttoken", *words)
    assert "a.b.c" not in str(caught.value)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1.9, "1 second"), (60, "1 minute"), (2 * 86400, "2 days")],
)
def test_spans_are_said_in_their_largest_unit(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.once
class TestAtATerminal:
    SECRET = "a secret of this process alone, as long as it has to be"

    @pytest.fixture
    def there(self, request):
        """Another process, whose database has no tables yet."""
        names = {"SECRET_KEY": self.SECRET, "TOKENS_ISSUER": "http://localhost", "ALLOWED_HOSTS": "localhost"}
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        database = {"DATABASE_URL": f"sqlite:///{FOLDER}/inspected.sqlite3"}
        return {"cwd": request.config.rootpath, "env": {**kept, **names, **database}, "start_new_session": True}

    @pytest.fixture
    def token(self, access):
        now = int(time())
        claims = replace(verification.verify_access(access), iat=now, exp=now + 900)
        ring, site = derived_ring(self.SECRET), "http://localhost"
        return jwt.write_access(claims, ring=ring, issuer=site, audience=site)

    def test_it_shows_nothing_of_what_is_typed(self, there, token):
        ours, theirs = pty.openpty()
        command = (sys.executable, "manage.py", "inspecttoken")
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, **there) as process:
            os.close(theirs)
            seen = b""
            while b"hidden" not in seen:
                seen += os.read(ours, 1024)
            os.write(ours, token.encode() + b"\n")
            try:
                while more := os.read(ours, 1024):
                    seen += more
            except OSError:  # the other end has closed: how a terminal on Linux says so
                pass
        os.close(ours)
        assert process.returncode == 0 and b"It would be accepted." in seen
        assert token.encode() not in seen and token[:40].encode() not in seen

"""`manage.py tokenkeys`, and the file that it keeps."""

import json
import re
import stat
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.http import HttpResponse

from tokens.core import keyfile
from tokens.core import keys as signing_keys
from tokens.core.exceptions import InvalidKeys
from tokens.middleware import TokenMiddleware

HOUR, WEEK = 3600, 7 * 24 * 3600


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def tokenkeys(path):
    def tokenkeys(*words):
        out = StringIO()
        call_command("tokenkeys", "--file", str(path), *words, stdout=out)
        secrets = {
            value for key in keyfile.read(path)["keys"] for name, value in key.items() if name in ("d", "k", "p")
        }
        assert not any(secret in out.getvalue() for secret in secrets)
        return [line.split() for line in out.getvalue().splitlines()]

    return tokenkeys


@pytest.fixture
def pass_time(path):
    """Let time pass, by writing the file's own times back."""

    def pass_time(seconds):
        aged = [key | {"since": key["since"] - seconds} for key in keyfile.read(path)["keys"]]
        keyfile.write(path, {"keys": aged})

    return pass_time


class TestCommand:
    @pytest.mark.parametrize("alg", ["HS256", "ES256"])
    def test_create_makes_a_current_and_a_next_key_for_its_owners_eyes(self, tokenkeys, path, alg):
        lines = tokenkeys("create", alg)
        assert [(line[1], line[2]) for line in lines] == [(alg, "next"), (alg, "current")]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_create_overwrites_nothing(self, tokenkeys, path):
        tokenkeys("create", "ES256")
        before = path.read_bytes()
        with pytest.raises(CommandError, match="already exists"):
            tokenkeys("create", "ES256")
        assert path.read_bytes() == before

    def test_rotate_moves_each_key_on(self, tokenkeys, pass_time):
        (following, _, _), (current, _, _) = tokenkeys("create", "EdDSA")
        pass_time(HOUR)
        lines = tokenkeys("rotate")
        assert [line[2] for line in lines] == ["next", "current", "previous"]
        assert [line[0] for line in lines[1:]] == [following, current]
        assert tokenkeys("list") == lines

    def test_retire_drops_a_previous_key_and_no_other(self, tokenkeys, pass_time):
        _, (current, _, _) = tokenkeys("create", "EdDSA")
        with pytest.raises(CommandError, match="No previous key"):
            tokenkeys("retire", "--", current)
        tokenkeys("rotate", "--force")
        pass_time(WEEK + HOUR)
        assert [line[2] for line in tokenkeys("retire", "--", current)] == ["next", "current"]

    def test_neither_is_done_before_it_is_safe_unless_forced(self, tokenkeys, path, pass_time):
        _, (current, _, _) = tokenkeys("create", "EdDSA")
        pass_time(HOUR - 60)
        with pytest.raises(CommandError, match=r"Safe from \d{4}-\d\d-\d\d \d\d:\d\d UTC: until then other services"):
            tokenkeys("rotate")
        tokenkeys("rotate", "--force")
        pass_time(HOUR)
        [_, _, (second, _, _), _] = tokenkeys("rotate")
        pass_time(WEEK - 60)
        for kid in (current, second):
            with pytest.raises(CommandError, match="people may hold tokens"):
                tokenkeys("retire", "--", kid)
        pass_time(60)
        tokenkeys("retire", "--", current)
        path.write_text(path.read_text().replace('"since"', '"note"'))
        with pytest.raises(CommandError, match="doesn't say since when the key is next"):
            tokenkeys("rotate")

    def test_replace_leaves_no_key_of_before_and_a_link_a_link(self, tokenkeys, path):
        target = path.with_name("target.json")
        path.symlink_to(target)
        before = tokenkeys("create", "EdDSA")
        after = tokenkeys("replace")
        assert [line[1:] for line in after] == [line[1:] for line in before]
        assert not {line[0] for line in after} & {line[0] for line in before}
        assert path.is_symlink() and len(keyfile.read(target)["keys"]) == 2

    def test_check_says_what_is_wrong(self, tokenkeys, path):
        tokenkeys("create", "ES256")
        assert " ".join(tokenkeys("check")[0]).endswith("works: 2 keys.")
        path.write_text(json.dumps({"keys": [signing_keys.generate_jwk("ES256"), signing_keys.generate_jwk("ES256")]}))
        with pytest.raises(CommandError, match="Exactly one key must be current"):
            tokenkeys("check")

    def test_a_dry_run_shows_what_would_be_and_writes_nothing(self, tokenkeys, path):
        with pytest.raises(FileNotFoundError):  # the fixture looks into the file afterwards
            tokenkeys("create", "--dry-run", "ES256")
        tokenkeys("create", "ES256")
        before = path.read_bytes()
        *states, last = tokenkeys("rotate", "--force", "--dry-run")
        assert [state[2] for state in states] == ["next", "current", "previous"]
        assert " ".join(last).startswith("Dry run: nothing was written")
        assert path.read_bytes() == before
        tokenkeys("rotate", "--force")
        [previous] = [line[0] for line in tokenkeys("list") if line[2] == "previous"]
        before = path.read_bytes()
        assert len(tokenkeys("retire", "--force", "--dry-run", "--", previous)) == 3
        assert path.read_bytes() == before

    def test_without_a_file_it_asks_for_one(self):
        with pytest.raises(CommandError, match="Set the file"):
            call_command("tokenkeys", "list")

    def test_a_file_that_is_not_there_or_no_json_is_one_sentence(self, path):
        nowhere = path.parent / "no folder" / "keys.json"
        for words in (["list"], ["create", "ES256"]):
            with pytest.raises(CommandError, match=rf"^{re.escape(str(nowhere))}: No such file or directory\.$"):
                call_command("tokenkeys", "--file", str(nowhere), *words)
        path.write_text("no json")
        with pytest.raises(CommandError, match=r"The file is not JSON\."):
            call_command("tokenkeys", "--file", str(path), "list")


class TestWrite:
    def test_a_set_that_is_not_good_changes_nothing(self, path):
        keyfile.write(path, {"keys": [signing_keys.generate_jwk("ES256")]})
        before = path.read_bytes()
        with pytest.raises(InvalidKeys):
            keyfile.write(path, {"keys": []})
        with pytest.raises(TypeError):
            keyfile.write(path, {"keys": [signing_keys.generate_jwk("ES256") | {"note": object()}]})
        assert path.read_bytes() == before
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_server_whose_keys_cannot_be_used_does_not_start(settings, path):
    path.write_text(json.dumps({"keys": [signing_keys.generate_jwk("HS256") | {"k": "c2hvcnQ"}]}))
    settings.TOKENS_KEYS = str(path)
    with pytest.raises(ImproperlyConfigured, match=r"TOKENS_KEYS: An HMAC key is shorter than 32 bytes\."):
        TokenMiddleware(lambda request: HttpResponse())

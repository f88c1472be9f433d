"""A server that lacks a setting says so in one sentence, whoever starts it; and so does a command that is stopped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core import management

import manage
from tests.project.test_settings import documented

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "wsgi": ["-c", "import project.wsgi"],
    "uvicorn": ["-m", "uvicorn", "project.asgi:application", "--uds", "/dev/null/none"],
    "gunicorn": ["-m", "gunicorn", "--config", "ops/gunicorn.conf.py", "--bind", "unix:socket", "project.wsgi"],
}


def start(program: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [word.replace("unix:socket", f"unix:{folder}/socket") for word in PROGRAMS[program]]
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


class TestRefusing:
    @pytest.mark.parametrize("program", ["wsgi", "uvicorn"])
    def test_without_any_variable_it_is_one_sentence(self, program, tmp_path):
        done = start(program, tmp_path)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == "SECRET_KEY is not set in the environment, see .env.example.\n"

    def test_gunicorn_ends_and_does_not_try_for_ever(self, tmp_path):
        done = start("gunicorn", tmp_path, **documented(TRUSTED_PROXIES="two"))
        assert done.returncode == 3
        assert "TRUSTED_PROXIES must be a whole number, zero or more.\n" in done.stderr
        assert "Traceback" not in done.stderr

    def test_keys_that_cannot_be_used_are_named_as_well(self, tmp_path):
        done = start("wsgi", tmp_path, **documented(TOKENS_KEYS=str(tmp_path / "keys.json")))
        assert (done.returncode, done.stderr.count("\n")) == (3, 1)
        assert done.stderr.startswith("TOKENS_KEYS: ")


def test_a_command_that_is_stopped_shows_no_traceback(monkeypatch, capsys):
    def stopped(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(management, "execute_from_command_line", stopped)
    assert manage.main(["manage.py", "cleartokens"]) == 130
    assert capsys.readouterr() == ("", "")

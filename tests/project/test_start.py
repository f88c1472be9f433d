"""A server that lacks a setting says so in one sentence, whoever starts it; and so does a command that is stopped."""

import os
import re

import pytest
from django.core import management

import manage
from tests.programs import output_of, run
from tests.project.test_settings import documented

pytestmark = pytest.mark.once

PROGRAMS = {
    "wsgi": ["-c", "import project.wsgi"],
    "uvicorn": ["-m", "uvicorn", "project.asgi:application", "--uds", "/dev/null/none"],
    "gunicorn": [
        "-m",
        "gunicorn",
        "--config",
        "ops/gunicorn.conf.py",
        "--bind",
        "unix:{folder}/socket",
        "project.wsgi",
    ],
}
NO_KEY = "SECRET_KEY is not set in the environment, see .env.example.\n"
NO_NUMBER = "TRUSTED_PROXIES must be a whole number, zero or more.\n"


@pytest.mark.parametrize(
    ("program", "environment", "sentence"),
    [
        ("wsgi", {}, f"^{NO_KEY}$"),
        ("uvicorn", {}, f"^{NO_KEY}$"),
        ("gunicorn", documented(TRUSTED_PROXIES="two"), NO_NUMBER),  # and does not try for ever
        ("wsgi", documented(TOKENS_KEYS="/no/such/keys.json"), r"^TOKENS_KEYS: .+\n$"),
    ],
)
def test_a_server_that_cannot_start_says_so_in_one_sentence(program, environment, sentence, tmp_path):
    words = (word.format(folder=tmp_path) for word in PROGRAMS[program])
    done = run(*words, env={"PATH": os.environ["PATH"], **environment})
    assert (done.returncode, done.stdout) == (3, "")
    assert re.search(sentence, done.stderr) and "Traceback" not in done.stderr


# Each takes megabytes and milliseconds, and is imported by the function that needs it.
LATER = {"webauthn", "OpenSSL", "pyasn1", "cbor2", "ua_parser", "segno", "idna", "maxminddb"}
FIRST_ANSWER = """
import gc, sys
from wsgiref.util import setup_testing_defaults
from project.wsgi import application

request = {"HTTP_HOST": "testserver", "PATH_INFO": "/healthz"}
setup_testing_defaults(request)
application(request, lambda status, headers: print(status[:3])).close()
print(gc.isenabled() and gc.get_freeze_count() > 100_000)
print(*sys.modules)
"""


def test_the_first_answer_waits_for_nothing_that_it_does_not_need():
    printed = output_of("-c", FIRST_ANSWER, env={"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""})
    status, frozen, modules = printed.splitlines()
    assert (status, frozen) == ("200", "True")
    assert {"accounts.factors.passkeys", "accounts.urls"} <= set(modules.split())
    assert not LATER & set(modules.split())


def test_a_command_that_is_stopped_shows_no_traceback(monkeypatch, capsys):
    def stopped(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(management, "execute_from_command_line", stopped)
    assert manage.main(["manage.py", "cleartokens"]) == 130
    assert capsys.readouterr() == ("", "")

"""gunicorn's own lines, as the configuration for production has them, with a line for each answer."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.project.test_settings import documented

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60  # seconds
SECRET = "d1abcd-0123456789abcdef0123456789abcdef"


@pytest.fixture
def ask(tmp_path):
    """`ask(path)` gives the head of an answer; after it, what the server has written is in the file `answers`."""
    path = str(tmp_path / "socket")
    command = ["-m", "gunicorn", "--config", "ops/gunicorn.conf.py", "--bind", f"unix:{path}", "project.wsgi"]
    environment = {
        "PATH": os.environ["PATH"],
        **documented(DATABASE_URL=f"sqlite:///{tmp_path}/db", CACHE_URL="", SECURE_SSL_REDIRECT="false"),
    }
    with (tmp_path / "answers").open("w") as out, (tmp_path / "errors").open("w") as errors:
        server = subprocess.Popen(
            [sys.executable, *command, "--access-logfile", "-"], cwd=ROOT, env=environment, stdout=out, stderr=errors
        )

        def ask(target):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE)
                connection.connect(path)
                connection.sendall(f"GET {target} HTTP/1.0\r\nHost: example.org\r\nUser-Agent: hush\r\n\r\n".encode())
                return connection.makefile("rb").read().decode()

        try:
            deadline = time.monotonic() + PATIENCE
            while not Path(path).exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            yield ask
        finally:
            server.terminate()
            server.wait(PATIENCE)


def test_each_answer_is_a_line_by_its_route_and_with_the_id_of_its_request(ask, tmp_path):
    first = ask("/healthz?token=hush")
    ask(f"/accounts/password/reset/MQ/{SECRET}/?next=hush")
    ask(f"/nowhere/{SECRET}/")
    written = (tmp_path / "answers").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert {(line["event"], line["logger"], line["method"]) for line in lines} == {
        ("answered", "gunicorn.access", "GET")
    }
    assert [line["path"] for line in lines] == [
        "/healthz",
        "/accounts/password/reset/<uidb64>/<token>/",
        "/nowhere/[redacted]/",
    ]
    assert lines[0]["request_id"] in first and lines[0]["status"] == 200
    assert lines[0]["seconds"] > 0 and lines[0]["bytes"] > 0
    for secret in ("hush", SECRET):
        assert secret not in written + (tmp_path / "errors").read_text()

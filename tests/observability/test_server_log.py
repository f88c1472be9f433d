"""gunicorn's own lines, as the configuration for production has them, with a line for each answer."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.test_settings import documented
from tests.smtp import wait_until

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "d1abcd-0123456789abcdef0123456789abcdef"


def test_each_answer_is_a_line_by_its_route_and_with_the_id_of_its_request(tmp_path):
    path, answers, errors = (str(tmp_path / name) for name in ("socket", "answers", "errors"))
    command = ["-m", "gunicorn", "--config", "ops/gunicorn.conf.py", "--bind", f"unix:{path}", "project.wsgi"]
    given = {"DATABASE_URL": f"sqlite:///{tmp_path}/db", "CACHE_URL": "", "SECURE_SSL_REDIRECT": "false"}
    with open(errors, "w") as file:
        server = subprocess.Popen(
            [sys.executable, *command, "--access-logfile", answers],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **documented(**given)},
            stderr=file,
        )

    def ask(target):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(path)
            connection.sendall(f"GET {target} HTTP/1.0\r\nHost: example.org\r\nUser-Agent: hush\r\n\r\n".encode())
            return connection.makefile("rb").read().decode()

    try:
        wait_until(Path(path).exists)
        first = ask("/healthz?token=hush")
        ask(f"/accounts/password/reset/MQ/{SECRET}/?next=hush")
        ask(f"/nowhere/{SECRET}/")
    finally:
        server.terminate()
        server.wait(60)

    written = Path(answers).read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    assert [(line["event"], line["logger"], line["method"], line["path"]) for line in lines] == [
        ("answered", "gunicorn.access", "GET", path)
        for path in ("/healthz", "/accounts/password/reset/<uidb64>/<token>/", "/nowhere/[redacted]/")
    ]
    assert lines[0]["request_id"] in first and lines[0]["status"] == 200
    assert lines[0]["seconds"] > 0 and lines[0]["bytes"] > 0
    for secret in ("hush", SECRET):
        assert secret not in written + Path(errors).read_text()

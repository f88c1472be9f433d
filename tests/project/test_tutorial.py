"""Do what docs/tutorial.md says in a new project."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.once

ROOT = Path(settings.BASE_DIR)
PAGE = (ROOT / "docs/tutorial.md").read_text()
VISIT = """
from django.contrib.auth.models import User
from tokens.testing import Client

ada = User.objects.create_user("ada", password="a password of hers")
client = Client()
assert client.get("/").headers["Location"] == "/accounts/login/?next=/"
answer = client.post("/accounts/login/", {"username": "ada", "password": "a password of hers"})
assert answer.headers["Location"] == "/", answer.content
assert {"__Host-access", "__Host-refresh"} <= client.cookies.keys()
assert client.get("/").content == b"Hello, ada. You have 1 session(s)."
"""


def test_it_works_as_written(tmp_path):
    def run(*command):
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        command = [sys.executable, "-W", "error", *command]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr

    added, urls = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    [(old, new)] = re.findall(r'replace\s+`"([\w.]+)"` with\s+`"([\w.]+)"`', PAGE)
    run("-m", "django", "startproject", "shop", ".")
    (tmp_path / "tokens").symlink_to(ROOT / "tokens")
    file = tmp_path / "shop/settings.py"
    made = file.read_text().replace("'", '"')
    last = '    "django.contrib.staticfiles",\n'
    assert made.count(old) == made.count(last) == 1
    made = made.replace(old, new).replace(last, f'{last}    "tokens",\n')
    file.write_text(f"{made}\n{added}ALLOWED_HOSTS = ['testserver']\n")
    (tmp_path / "shop/urls.py").write_text(urls)

    run("manage.py", "check", "--fail-level", "WARNING")
    run("manage.py", "migrate", "-v0")
    run("manage.py", "shell", "-v0", "-c", VISIT)

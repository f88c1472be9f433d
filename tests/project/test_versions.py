"""The site on the newest Django, where this machine has a Python that runs it: every warning is an error."""

import re
import subprocess

import pytest

from tests.third_party import pythons

pytestmark = [pytest.mark.once, pytest.mark.slow]

OLDER = {"django", "django-csp"}  # the one is installed in its newest version, the other needed before 6.0
ENVIRONMENT = {
    "ALLOWED_HOSTS": "localhost",
    "CACHE_URL": "locmemcache://",
    "DEBUG": "true",
    "DJANGO_SETTINGS_MODULE": "project.settings",
    "EMAIL_URL": "consolemail://",
    "PATH": "/usr/bin:/bin",
    "SECRET_KEY": "of no use anywhere else, and long enough for all of the checks",
    "SECURE_SSL_REDIRECT": "false",
    "TOKENS_ISSUER": "http://localhost",
}
JOURNEY = """
import django; django.setup()
from django.core.management import call_command
from accounts.models import User
from tests.tokens.clock import elapse
from tokens.testing import Client
call_command("migrate", verbosity=0)
User.objects.create_superuser("alice", "alice@example.org", "correct horse battery")
alice = Client(headers={"host": "localhost"})
signed_in = alice.post("/accounts/login/", {"username": "alice", "password": "correct horse battery"})
assert signed_in.status_code == 302, (signed_in.status_code, signed_in.headers)
elapse(16 * 60, alice)
for url in ("/", "/accounts/sessions/", "/accounts/activity/", "/admin/",
            "/admin/accounts/user/", "/admin/tokens/refreshtoken/", "/admin/accounts/securityevent/"):
    page = alice.get(url)
    assert page.status_code == 200, (url, page.status_code)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"], url
reset = Client(headers={"host": "localhost"}).post("/accounts/password/reset/", {"email": "alice@example.org"})
assert reset.status_code == 302
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("python", pythons.found()[-1:], ids=str)
def test_the_site_starts_signs_in_and_shows_its_pages(python, tmp_path):
    program = python.environment(tmp_path)
    pinned = re.findall(r"^([a-z][\w.-]*)==([^ ]+)", pythons.REQUIREMENTS.read_text(), re.MULTILINE)
    wanted = [f"{name}=={pin}" for name, pin in pinned if name not in OLDER and name != "psycopg-binary"]
    if python.django == pythons.NEWEST:
        subprocess.run([program, "-m", "pip", "install", "-q", *wanted, "psycopg[binary]"], check=True)
    environment = ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    for command in (["manage.py", "check"], ["-c", JOURNEY]):
        command = [program, "-W", "error", "-W", "ignore:No directory at", *command]  # no static file was collected
        root = pythons.REQUIREMENTS.parent
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr

"""The site on each Django for which this machine has a Python: every warning is an error."""

import re
import subprocess

import pytest

from tests.project.test_demo import Visitor, running
from tests.third_party import pythons

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = pythons.REQUIREMENTS.parent
OLDER = {"django"}  # which is there in a later version
STRICT = ["-W", "error", "-W", "ignore:No directory at"]  # no static file was collected
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


@pytest.fixture(scope="module", params=pythons.found(), ids=str)
def program(request):
    """A Python that has what the site needs."""
    program = request.param.environment()
    if request.param.django in pythons.LATER:
        pinned = re.findall(r"^([a-z][\w.-]*)==([^ ]+)", pythons.REQUIREMENTS.read_text(), re.MULTILINE)
        wanted = [f"{name}=={pin}" for name, pin in pinned if name not in OLDER and name != "psycopg-binary"]
        subprocess.run([program, "-m", "pip", "install", "-q", *wanted, "psycopg[binary]"], check=True)
    return program


@pytest.mark.timeout(600)
def test_the_site_starts_signs_in_and_shows_its_pages(program, tmp_path):
    environment = ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    for command in (["manage.py", "check"], ["-c", JOURNEY]):
        command = [program, *STRICT, *command]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_demo_starts_and_signs_in(program, tmp_path):
    with running(tmp_path / "data", program, *STRICT, "-W", "ignore:unclosed") as demo:  # which gunicorn leaves so
        bob = Visitor(demo)
        bob.sign_in("bob", demo.passwords["bob"])
        assert bob.is_signed_in
    assert not re.search("Warning|Traceback", demo.errors.read_text())

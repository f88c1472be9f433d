"""Another project takes the folder `tokens` alone: no site, no template, no table but its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tokens

pytestmark = pytest.mark.once

PROJECT = """
import sys

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    SECRET_KEY="a secret of another project, as long as it has to be",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", {apps}"tokens"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "tokens.middleware.TokenMiddleware"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
    USE_TZ={tz},
    {extra}
)
django.setup()

from django.contrib import auth
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in
from django.http import HttpResponse
from django.urls import path

from tokens.models import RefreshToken
from tokens.testing import Client


def log_in(request):
    user = auth.authenticate(request, username="zoe", password="a password")
    auth.login(request, user)
    return HttpResponse("in")


def who(request):
    return HttpResponse(request.user.get_username() or "nobody")


def log_out(request):
    auth.logout(request)
    return HttpResponse("out")


urlpatterns = [path("in/", log_in), path("who/", who), path("out/", log_out)]

call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0, run_syncdb=True)
call_command("makemigrations", "tokens", check=True, dry_run=True)
zoe = get_user_model()(**{{get_user_model().USERNAME_FIELD: "zoe"}})
zoe.set_password("a password")
zoe.save()


def visit(client, path):
    response = client.get(path)
    assert response.status_code == 200, response.content
    return response.content.decode()


client = Client()
assert visit(client, "/who/") == "nobody"
assert visit(client, "/in/") == "in"
assert sorted(client.cookies) == ["__Host-access", "__Host-reauth", "__Host-refresh"], client.cookies
row = RefreshToken.objects.get()
assert row.user == zoe
assert visit(client, "/who/") == "zoe"
del client.cookies["__Host-access"]
assert visit(client, "/who/") == "zoe"
assert "__Host-access" in client.cookies
assert visit(client, "/out/") == "out"
assert visit(client, "/who/") == "nobody"
row.refresh_from_db()
assert row.reason == "signed_out"

client.force_login(zoe)
assert visit(client, "/who/") == "zoe"
zoe.set_password("another password")
zoe.save()
assert visit(client, "/who/") == "nobody"
client.force_login(zoe)
zoe.delete()
assert visit(client, "/who/") == "nobody"
call_command("cleartokens")
assert RefreshToken.objects.count() == 3

assert not {{"accounts", "project"}} & {{name.partition(".")[0] for name in sys.modules}}
print("all is well")
"""

# A model of few fields: a UUID for its key, an address for its name, no last_login, no staff.
PEOPLE = """
from uuid import uuid4

from django.apps import AppConfig
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Person(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid4)
    address = models.CharField(max_length=100, unique=True)
    last_login = None

    USERNAME_FIELD = "address"
    is_active = True
    objects = BaseUserManager()
"""


@pytest.fixture
def run(tmp_path):
    """`run(...)`: what another project with these settings says on its way through a sign-in; warnings are errors."""

    def run(apps="", extra="", tz=True):
        (tmp_path / "tokens").symlink_to(Path(tokens.__file__).parent)
        script = tmp_path / "another_project.py"
        script.write_text(PROJECT.format(apps=apps, extra=extra, tz=tz))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-B", script],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTHON"))},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_with_djangos_own_user(run):
    said = run()
    assert "System check identified no issues" in said
    assert "0 sessions deleted." in said
    assert said.endswith("all is well\n")


def test_with_a_user_of_few_fields_fallback_keys_and_moments_without_a_zone(run, tmp_path):
    folder = tmp_path / "people"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "models.py").write_text(PEOPLE)
    extra = """
    AUTH_USER_MODEL="people.Person",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    SECRET_KEY_FALLBACKS=["an older secret"],
    """
    assert run(apps='"people", ', extra=extra, tz=False).endswith("all is well\n")

"""Another project, which takes the app `tokens` alone: no site, no template, no table but its own."""

import os
import subprocess
from pathlib import Path

PROJECT = """
import sys

sys.modules["tqdm"] = None

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    SECRET_KEY="a secret of another project, as long as it has to be",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", {apps}"{package}"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "{package}.middleware.TokenMiddleware"],
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
from django.utils import translation

from {package}.models import RefreshToken
from {package}.testing import Client


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
for language in ("de", "es", "zh-hans"):
    with translation.override(language):
        assert str(RefreshToken._meta.verbose_name) != "session", language
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

others = {{"accounts", "project", *(() if "{package}" == "tokens" else ("tokens",))}}
assert not others & {{name.partition(".")[0] for name in sys.modules}}
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


def run(python, folder, package="tokens", apps="", extra="", tz=True):
    """What the project in `folder` says on its way through a sign-in; there, `tokens` is `package`.

    Warnings are errors, and tqdm, which is no requirement, is hidden.
    """
    if apps:
        (folder / "people").mkdir()
        (folder / "people/__init__.py").write_text("")
        (folder / "people/models.py").write_text(PEOPLE)
    script = folder / "another_project.py"
    script.write_text(PROJECT.format(package=package, apps=apps, extra=extra, tz=tz))
    done = start(python, folder, "-W", "error", "-B", script.name)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(python, folder: Path, *arguments):
    """Run `python` in `folder`, without what this one's environment says of Django and Python."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTHON"))}
    return subprocess.run([python, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60)

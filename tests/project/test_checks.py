"""docs/reference/checks.md lists every check there is, and each of them fires."""

import re
from pathlib import Path
from unittest.mock import MagicMock, Mock

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.core.checks.registry import registry

from project import sizing
from project.checks import GUARDS
from tests.smtp import mailer, smtp_mailer
from tokens import project_checks

pytestmark = pytest.mark.once

ROOT = Path(configured.BASE_DIR)
GONE = object()
SITE = configured.MIDDLEWARE
LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
FILES = {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/no/such/folder"}
COMMON = {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"}

# What makes each fire: settings, and variables of the environment in small letters.
FIRES = {
    "tokens.E001": {"TOKENS_ISSUER": "", "TOKENS_AUDIENCE": "somebody"},
    "tokens.E002": {"TOKENS_ACCESS_LIFETIME": "15min"},
    "tokens.E003": {"TOKENS_REVOCATION_LAG": -1},
    "tokens.E004": {"TOKENS_IDLE_LIFETIME": 60},
    "tokens.E005": {"TOKENS_CONFIRM_AFTER": 900},
    "tokens.E006": {"TOKENS_REUSE_REVOKES": "none"},
    "tokens.E007": {"TOKENS_MAX_SESSIONS": 0},
    "tokens.E008": {"TOKENS_USER_CLAIMS": ["password"]},
    "tokens.E009": {"TOKENS_COOKIE_SECURE": 1},
    "tokens.E010": {"MIDDLEWARE": [path for path in SITE if "TokenMiddleware" not in path]},
    "tokens.E011": {"TOKENS_REVOCATION_CACHE": "nowhere"},
    "tokens.E012": {"TOKENS_KEYS": "/no/such/file"},
    "tokens.E013": {"TOKENS_REVOCATION_CACHE": "default", "CACHES": LOCMEM},
    "tokens.E014": {"TOKENS_STATUS_LIST": 7},
    "tokens.E015": {"TOKENS_STATUS_LIST": 8},
    "tokens.E016": {"TOKENS_ADOPT_SESSIONS": True},
    "tokens.E017": {"TOKENS_REVOCATION_CACHE": "default", "CACHES": {"default": FILES}},
    "tokens.E018": {"DATABASE_ROUTERS": ["tests.tokens.replica.UsersElsewhere"]},
    "tokens.E019": {"TOKENS_COOKIE_PREFIX": "shop;"},
    "tokens.E020": {"TOKENS_BOUND_LIFETIME": 299},
    "tokens.E021": {"ROOT_URLCONF": "accounts.urls"},
    "tokens.E022": {"TOKENS_REAUTHENTICATION_URL": "/accounts/confirm/"},
    "tokens.W001": {"TOKENS_COOKIE_SECURE": False},
    "tokens.W002": {"TOKENS_ISSUER": GONE},
    "tokens.W003": {"TOKENS_USER_CLAIMS": ["username", "first_name", "last_name"]},
    "tokens.W004": {"TOKENS_ISSUER": "http://example.org"},
    "tokens.W005": {"TOKENS_BROWSER_LIFETIME": 60},
    "tokens.W006": {"TOKENS_REVOCATION_LAG": 900},
    "tokens.W007": {"TOKENS_KEYS": "/etc/passwd"},
    "tokens.W008": {"TOKENS_ADOPT_SESSIONS": configured.SESSION_COOKIE_NAME},
    "tokens.W009": {"TOKENS_REVOCATION_CACHE": "list", "CACHES": {**LOCMEM, "list": FILES}},
    "tokens.W010": {"SESSION_COOKIE_PATH": "/shop/"},
    "tokens.W011": {"ASGI_APPLICATION": "tests.project.test_checks.application"},  # this text: channels.auth
    "tokens.W012": {"APP_LABELS": ["tokens", "auth"]},
    "tokens.W013": {"INSTALLED_APPS": ["allauth.headless"]},
    "tokens.W014": {"INSTALLED_APPS": ["allauth.usersessions"]},
    "tokens.W015": {"SESSION_SAVE_EVERY_REQUEST": True, "SESSION_COOKIE_AGE": 1800},
    "project.E001": {"MIDDLEWARE": SITE[::-1]},
    "project.E002": {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"), "TRUSTED_PROXIES": 0},
    "project.W001": {"TRUSTED_PROXIES": 0},
    "project.W002": {"COOKIES_SECURE": False},
    "project.W003": {"METRICS_TOKEN": "let-me-read", "web_concurrency": "2"},
    "project.W004": {"ALLOWED_HOSTS": ["*"]},
    "project.W005": {"ALLOWED_HOSTS": ["example.org"], "TOKENS_ISSUER": "https://example.com"},
    "project.W006": {"CONNECTION": {"limit": 97, "pooled": False}, "web_concurrency": "24"},
    "project.W007": {"CONNECTION": {"limit": 97, "pooled": True}},
    "project.W008": {"MEMORY": 1024, "web_concurrency": "8"},
    "accounts.E001": {"GEOIP_PATH": "/no/such/file"},
    "accounts.E003": {"PROVIDERS": [{"name": "acme", "issuer": "https://acme.example", "client_id": "us"}]},
    "accounts.E002": {"REQUIRE_SECOND_FACTOR_FOR": ["staff", "admins"]},
    "accounts.W001": {"CACHES": LOCMEM},
    "accounts.W002": {"CACHES": LOCMEM, "web_concurrency": "2"},
    "accounts.W003": {"AUTH_PASSWORD_VALIDATORS": [COMMON]},
    "accounts.W004": {"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]},
    "accounts.W005": mailer("django.core.mail.backends.console.EmailBackend"),
    "accounts.W006": smtp_mailer(host="mail.example.org"),
    "accounts.W007": {"INSTALLED_APPS": ["rest_framework"]},
}


def documented():
    """The rows of the page: id, when it is asked if not always, the setting, what is wrong."""
    page = (ROOT / "docs/reference/checks.md").read_text()
    return [
        [cell.strip(" `") for cell in row]
        for row in re.findall(r"^\| (\w+\.\w\d{3})(?: \((.+?)\))? \| `(\w+)`([^|]+)\|$", page, re.M)
    ]


def written():
    """The ids in the code."""
    files = [path for folder in ("accounts", "project", "tokens") for path in (ROOT / folder).rglob("*.py")]
    return {found for path in files for found in re.findall(r'\bid="(\w+\.[A-Z]\d{3})"', path.read_text())}


def test_the_page_lists_each_once_and_none_that_is_not():
    ids = [row[0] for row in documented()]
    assert sorted(ids) == sorted(written())
    assert FIRES.keys() == set(ids)


@pytest.fixture
def fire(settings, monkeypatch):
    """`fire(id)` makes it so that the check has something to say; returns what all say, at a deployment or not."""

    def fire(name):
        monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
        for key, value in FIRES[name].items():
            if key.islower():
                monkeypatch.setenv(key.upper(), value)
            elif key == "INSTALLED_APPS":  # not really: their models would stay known
                monkeypatch.setattr(apps, "is_installed", value.__contains__)
            elif key == "APP_LABELS":
                configs = [Mock(label=label) for label in value]
                monkeypatch.setattr(project_checks.apps, "get_app_configs", Mock(return_value=configs))
            elif key == "CONNECTION":
                monkeypatch.setattr(sizing, "connection", connection(**value))
            elif key == "MEMORY":
                monkeypatch.setattr(sizing, "memory_limit", Mock(return_value=value))
            elif value is GONE:
                delattr(settings, key)
            else:
                setattr(settings, key, value)
        return {deploy: found(name, deploy) for deploy in (False, True)}

    return fire


def connection(limit, pooled):
    """A connection to PostgreSQL as far as the checks go; tests/resilience/test_pgbouncer.py has real ones."""
    connection = MagicMock(vendor="postgresql", settings_dict={"DISABLE_SERVER_SIDE_CURSORS": False})
    connection.cursor().__enter__().fetchone.return_value = (limit, connection.connection.info.backend_pid)
    if pooled:
        connection.connection.info.backend_pid = "another"
    return connection


def found(name, deploy):
    """What the checks of this app say; Django's own have their tests there, and take long."""
    app = name.partition(".")[0]
    checks = [check for check in registry.get_checks(deploy) if check.__module__.partition(".")[0] == app]
    databases = ["default"] if deploy else None
    messages = (message for check in checks for message in check(app_configs=None, databases=databases))
    return [message for message in messages if message.id == name]


@pytest.mark.parametrize(("name", "asked", "setting", "problem"), documented())
def test_each_fires_names_its_setting_and_is_asked_when_the_page_says(fire, name, asked, setting, problem):
    messages = fire(name)
    assert messages[True], name
    assert bool(messages[False]) == (not asked)
    for message in messages[True]:
        assert setting in f"{message.msg} {message.hint}"
        assert message.is_serious() == (name.rpartition(".")[2][0] == "E")
    assert problem


def test_the_order_of_the_middleware_is_right_with_others_in_between_and_none_may_be_missing(settings):
    settings.MIDDLEWARE = [each for path in SITE for each in (path, "project.uploads.RefuseFilesHandler")]
    assert not found("project.E001", deploy=False)
    for missing in GUARDS:
        settings.MIDDLEWARE = [path for path in SITE if path != missing]
        assert f"MIDDLEWARE lacks {missing}." in [message.msg for message in found("project.E001", deploy=False)]


def test_each_part_of_a_safe_list_of_passwords_is_missed(settings):
    whole = configured.AUTH_PASSWORD_VALIDATORS
    name = "django.contrib.auth.password_validation.MinimumLengthValidator"
    short, long = ([{"NAME": name, "OPTIONS": {"min_length": length}}] for length in (7, 8))
    for validators, lacking in ((short, 3), (long, 2), ([], 3), (whole[:3], 1), ([*whole[:2], COMMON], 1), (whole, 0)):
        settings.AUTH_PASSWORD_VALIDATORS = validators
        assert len(found("accounts.W003", deploy=False)) == lacking

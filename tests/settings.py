"""The site's settings under an environment of the tests' own. DATABASE_URL alone comes from outside."""

import os
import secrets
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / f"sojourn-tests-{os.getpid()}"  # tests/conftest.py makes and removes it

for name in [name for name in os.environ if name.startswith("TOKENS_")]:
    del os.environ[name]
os.environ.setdefault("DATABASE_URL", f"sqlite:///{FOLDER}/db.sqlite3")
os.environ.update(
    SECRET_KEY=secrets.token_urlsafe(50),
    SECRET_KEY_FALLBACKS="",
    DEBUG="false",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    CACHE_URL="locmemcache://",
    EMAIL_URL="memorymail://",
    DEFAULT_FROM_EMAIL="",
    TRUSTED_PROXIES="0",
    SECURE_SSL_REDIRECT="false",
    STATIC_ROOT=str(FOLDER),
    TOKENS_ISSUER="http://testserver",
    TOKENS_REVOCATION_LAG="3600",  # tests count queries: the list is read when a test asks for it
)

if os.environ["DATABASE_URL"].startswith("mysql"):
    import pymysql

    pymysql.install_as_MySQLdb()

from project.settings import *  # noqa: E402, F403
from project.settings import DATABASES, INSTALLED_APPS, PASSWORD_HASHERS, STORAGES  # noqa: E402

DATABASE_DEADLINES = {}  # a loaded machine must not turn a race red

INSTALLED_APPS = [*INSTALLED_APPS, "tests.proxy_models"]

if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A file, because the races need connections of their own to one database.
    DATABASES["default"]["TEST"] = {"NAME": str(FOLDER / "tests.sqlite3")}

# Real Argon2, at a price that hundreds of sign-ins can pay.
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2Hasher", *PASSWORD_HASHERS[1:]]

# Pages are tested without collecting files first; tests/project/test_demo.py has the hashed names.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

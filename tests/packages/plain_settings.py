"""The site's settings, but for what Django's own sessions want otherwise."""

from tests.faults.settings import *  # noqa: F403

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.packages.plain_urls"
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2Hasher"]
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_NAME = "sessionid"
SESSION_EXPIRE_AT_BROWSER_CLOSE = False

"""The site's own settings, whole; with BENCHMARKS_SESSIONS set, with Django's sessions in the place of tokens."""

import os

from project.settings import *  # noqa: F403
from project.settings import MIDDLEWARE, STORAGES

ROOT_URLCONF = "lab.benchmarks.site_urls"
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}

if os.environ.get("BENCHMARKS_SESSIONS"):
    INSTEAD = {
        "tokens.middleware.StrictCookiesMiddleware": None,
        "tokens.middleware.TokenMiddleware": "django.contrib.auth.middleware.AuthenticationMiddleware",
        "accounts.middleware.LoginRequiredMiddleware": "django.contrib.auth.middleware.LoginRequiredMiddleware",
        "accounts.middleware.PageMiddleware": None,  # it looks at the rows of sign-ins
        "accounts.middleware.SecondFactorMiddleware": None,  # it asks what became of a sign-in
    }
    MIDDLEWARE = [name for name in (INSTEAD.get(name, name) for name in MIDDLEWARE) if name]
    SESSION_ENGINE = "django.contrib.sessions.backends.db"

"""The ways of being signed in, each with the settings that its own documentation advises for speed.

A peer signs Alice in once and says what her browser, or her program, sends from then on. Peers that can live in one
process, for they share apps and a database, are a stack.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import parts

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
USERS = "django.contrib.auth.middleware.AuthenticationMiddleware"
TOKENS = "tokens.middleware.TokenMiddleware"
ENGINES = "django.contrib.sessions.backends"

SignIn = Callable[[Any], dict[str, str]]  # from a user to headers, as the WSGI environment has them


@dataclass(frozen=True)
class Peer:
    """`path` is the page that says who asks (lab/benchmarks/urls.py)."""

    name: str
    sign_in: SignIn
    middleware: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    path: str = "/pages/hello/"
    queries: int = 0  # what a request is known to cost; the run asserts it


@dataclass(frozen=True)
class Stack:
    """`database` is "sqlite" or "postgresql"."""

    database: str
    apps: tuple[str, ...]
    peers: tuple[Peer, ...]
    settings: dict[str, Any] = field(default_factory=dict)


def by_session(user: Any) -> dict[str, str]:
    from django.test import Client

    return _cookies(Client(), user)


def by_tokens(user: Any) -> dict[str, str]:
    from tokens.testing import Client

    return _cookies(Client(), user)


def by_simplejwt(user: Any) -> dict[str, str]:
    from rest_framework_simplejwt.tokens import AccessToken

    token = AccessToken.for_user(user)
    token["username"] = user.get_username()
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def by_allauth(user: Any) -> dict[str, str]:
    from allauth.headless.tokens.strategies.jwt import internal
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session.save()
    return {"HTTP_AUTHORIZATION": f"Bearer {internal.create_access_token(user, session, {})}"}


def _cookies(client: Any, user: Any) -> dict[str, str]:
    client.force_login(user)
    return {"HTTP_COOKIE": "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())}


def _ours(alg: str, beside: tuple[str, ...] = (), what: str = "") -> Peer:
    file = "" if alg == "HS256" else f"{os.environ.get('BENCHMARKS_FOLDER')}/{alg}"
    settings = {"SESSION_ENGINE": f"{ENGINES}.signed_cookies", "TOKENS_KEYS": file}
    return Peer(f"Sojourn, {alg}{what}", by_tokens, (*beside, TOKENS), settings)


def _sessions(what: str, engine: str, queries: int) -> Peer:
    settings = {"SESSION_ENGINE": f"{ENGINES}.{engine}"}
    return Peer(f"Django sessions, {what}", by_session, (SESSIONS, USERS), settings, queries=queries)


OURS = tuple(_ours(alg) for alg in ("HS256", *parts.ALGORITHMS))
TOKENS_STACK = Stack("sqlite", ("tokens",), (*OURS, _ours("HS256", (SESSIONS,), ", beside SessionMiddleware")))

# A peer whose person lies in the database pays for the query: that is how it is used.
STACKS = {
    "tokens": TOKENS_STACK,
    "sessions on SQLite": Stack("sqlite", (), (_sessions("database, SQLite", "db", 2),)),
    "sessions on PostgreSQL": Stack(
        "postgresql",
        (),
        (
            _sessions("database, PostgreSQL", "db", 2),
            _sessions("cached_db on Redis", "cached_db", 1),
            _sessions("cache on Redis", "cache", 1),
            _sessions("signed cookies", "signed_cookies", 1),
        ),
    ),
    "simplejwt": Stack(
        "postgresql",
        ("rest_framework", "rest_framework_simplejwt"),
        (
            Peer("simplejwt, stateless", by_simplejwt, path="/pages/stateless/"),
            Peer("simplejwt, with user", by_simplejwt, path="/pages/with-user/", queries=1),
        ),
    ),
    "allauth": Stack(
        "postgresql",
        ("allauth", "allauth.account", "allauth.headless"),
        (Peer("allauth headless JWT", by_allauth, path="/pages/allauth/", queries=1),),
        {
            "HEADLESS_JWT_ALGORITHM": "HS256",
            "HEADLESS_ONLY": True,
            "MIDDLEWARE": ["allauth.account.middleware.AccountMiddleware"],  # it does not start without
        },
    ),
}


def configure(stack: Stack) -> None:
    """Make this process a site with these apps, whose addresses come from the environment."""
    from django.conf import settings

    settings.configure(
        **{
            "SECRET_KEY": "of no use anywhere else, and long enough for every check of it",
            "ALLOWED_HOSTS": ["localhost", "testserver"],
            "DATABASES": {"default": parts.settings(stack.database)},
            "CACHES": {
                "default": {
                    "BACKEND": "django.core.cache.backends.redis.RedisCache",
                    "LOCATION": os.environ["BENCHMARKS_REDIS"],
                }
            },
            "INSTALLED_APPS": [
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django.contrib.sessions",
                *stack.apps,
            ],
            "ROOT_URLCONF": "lab.benchmarks.urls",
            "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],  # no password is checked here
            "TOKENS_ISSUER": "http://localhost",
            "USE_TZ": True,
            **stack.settings,
        }
    )
    import django

    django.setup()


def create_tables(migrated: bool = False) -> None:
    """Create the tables as the models have them, or, at ten times the cost, as the migrations do."""
    from django.apps import apps
    from django.core.management import call_command
    from django.test import override_settings

    labels = [] if migrated else [app.label for app in apps.get_app_configs()]
    with override_settings(MIGRATION_MODULES=dict.fromkeys(labels)):
        call_command("migrate", run_syncdb=not migrated, verbosity=0)


def alice() -> Any:
    from django.contrib.auth import get_user_model

    people = get_user_model().objects
    return people.filter(username="alice").first() or people.create_user("alice", "alice@example.org", "a password")

"""System checks of what surrounds `tokens` in a project: the middleware, the apps, the databases, other packages."""

from __future__ import annotations

import re
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from django.apps import apps
from django.conf import global_settings, settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Warning
from django.db import router
from django.utils.module_loading import import_string

from .conf import conf
from .models import RefreshToken

SESSION_COOKIE = ("SESSION_COOKIE_NAME", "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_PATH", "SESSION_COOKIE_SAMESITE")
LISTS_OF_SESSIONS = ("allauth.usersessions", "qsessions", "user_sessions")


def check_middleware(**_: object) -> list[CheckMessage]:
    """Return E010 unless TokenMiddleware is there, once, after SessionMiddleware and before what needs a user."""
    from django.contrib.auth.middleware import AuthenticationMiddleware, RemoteUserMiddleware
    from django.contrib.sessions.middleware import SessionMiddleware

    from .middleware import TokenMiddleware

    stack = [import_string(path) for path in settings.MIDDLEWARE]
    ours = (TokenMiddleware, AuthenticationMiddleware, SessionMiddleware, RemoteUserMiddleware)
    kinds = [next((kind for kind in ours if _is(entry, kind)), None) for entry in stack]
    found = [kind for kind in kinds if kind]
    if found[:2] == [SessionMiddleware, TokenMiddleware] and set(found[2:]) <= {RemoteUserMiddleware}:
        return []
    return [
        Error(
            f"{__package__}.middleware.TokenMiddleware must be in MIDDLEWARE once, in place of "
            "AuthenticationMiddleware: after SessionMiddleware and before RemoteUserMiddleware.",
            id="tokens.E010",
        )
    ]


def check_packages(**_: object) -> list[CheckMessage]:
    """Return W013-W014: packages that look for sign-ins in what Django's sessions store."""
    found: list[CheckMessage] = []
    ours = f"{__package__}.contrib.allauth.TokenStrategy"
    serves_apps = apps.is_installed("allauth.headless") and "app" in getattr(settings, "HEADLESS_CLIENTS", ("app",))
    if serves_apps and getattr(settings, "HEADLESS_TOKEN_STRATEGY", "") != ours:
        found.append(
            Warning(
                "allauth.headless expects an app's sign-in in Django's session, but it isn't stored there. Every later "
                "request of the app gets a 401.",
                hint=f'Set HEADLESS_TOKEN_STRATEGY = "{ours}", or HEADLESS_CLIENTS = ("browser",).',
                id="tokens.W013",
            )
        )
    found += [
        Warning(
            f"{name} lists and ends Django's sessions, but nobody is signed in by those here.",
            hint="Remove it from INSTALLED_APPS, and list RefreshToken.objects.for_user(user).live() instead.",
            id="tokens.W014",
        )
        for name in LISTS_OF_SESSIONS
        if apps.is_installed(name)
    ]
    return found


def check_databases(**_: object) -> list[CheckMessage]:
    """Return E018 unless users and sessions are written to one database: each is locked by the other's changes."""
    sessions, people = router.db_for_write(RefreshToken), router.db_for_write(get_user_model())
    if sessions == people:
        return []
    return [
        Error(
            f"DATABASE_ROUTERS writes sessions to {sessions!r}, but users to {people!r}.",
            hint="Use one database for both. One query reads them, and one transaction locks them.",
            id="tokens.E018",
        )
    ]


def check_session_cookie(**_: object) -> list[CheckMessage]:
    """Return W010 if a setting of Django's session cookie may be meant to change who is signed in where."""
    changed = [name for name in SESSION_COOKIE if getattr(settings, name) != getattr(global_settings, name)]
    if hasattr(settings, "TOKENS_COOKIE_PREFIX"):  # two sites are told apart, or somebody has decided not to
        changed = [name for name in changed if name != "SESSION_COOKIE_NAME"]
    if not changed:
        return []
    return [
        Warning(
            f"{' and '.join(changed)} don't affect who is signed in. The cookies for that are always for this host "
            "alone, with Path=/ and SameSite=Lax.",
            hint="Name them by TOKENS_COOKIE_PREFIX. If you set SESSION_COOKIE_NAME, set it too, even if it's empty.",
            id="tokens.W010",
        )
    ]


def check_session_age(**_: object) -> list[CheckMessage]:
    """Return W015 if whoever is active would be signed out in the middle of what they do."""
    if not settings.SESSION_SAVE_EVERY_REQUEST or conf.absolute_lifetime <= settings.SESSION_COOKIE_AGE:
        return []
    if not settings.is_overridden("SESSION_COOKIE_AGE"):  # type: ignore[misc]
        return []
    return [
        Warning(
            "SESSION_SAVE_EVERY_REQUEST doesn't keep anybody signed in: SESSION_COOKIE_AGE counts from the sign-in.",
            hint="Sign out who is idle by TOKENS_IDLE_LIFETIME, and remove SESSION_COOKIE_AGE.",
            id="tokens.W015",
        )
    ]


def check_channels(**_: object) -> list[CheckMessage]:
    """Return W011 if the module of ASGI_APPLICATION uses the authentication of Channels, which knows no tokens.

    Its text is read, as to import it would start the application.
    """
    name = (getattr(settings, "ASGI_APPLICATION", None) or "").rpartition(".")[0]
    with suppress(ImportError, OSError, ValueError):
        found = find_spec(name)
        if found and found.origin and re.search(r"\bchannels\.auth\b", Path(found.origin).read_text()):
            return [
                Warning(
                    f"{name} (ASGI_APPLICATION) uses channels.auth, which looks for sign-ins in Django's session, so "
                    "everyone is anonymous over a WebSocket.",
                    hint="Import AuthMiddlewareStack from tokens.contrib.channels instead.",
                    id="tokens.W011",
                )
            ]
    return []


def check_apps(**_: object) -> list[CheckMessage]:
    """Return W012 if Django has connected `update_last_login` again, after `TokensConfig.ready()` took it out."""
    order = [config.label for config in apps.get_app_configs() if config.label in ("tokens", "auth")]
    stamped = any(field.name == "last_login" for field in get_user_model()._meta.concrete_fields)
    if not stamped or order != ["tokens", "auth"]:
        return []
    return [
        Warning(
            "INSTALLED_APPS has tokens before django.contrib.auth, so each sign-in writes last_login twice, and fails "
            "if the user is deleted at that moment.",
            hint="Move tokens after django.contrib.auth.",
            id="tokens.W012",
        )
    ]


def _is(entry: object, kind: type) -> bool:
    return isinstance(entry, type) and issubclass(entry, kind)

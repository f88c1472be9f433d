"""Check for settings that only suit a development machine, and for files that are configured but unusable."""

import os
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import password_validation
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from accounts.account import geoip
from accounts.factors import policy
from accounts.mails.worker import default_mailer
from accounts.providers import configuration
from accounts.security.validators import MaximumLengthValidator

UNSUITABLE_CACHES = {
    "LocMemCache": "is not shared between processes",
    "DummyCache": "stores nothing",
    "FileBasedCache": "miscounts simultaneous attempts",
    "DatabaseCache": "miscounts simultaneous attempts",
}
# NIST SP 800-63B-4 §3.1.1.2, for passwords that are combined with a second factor or a list of common passwords.
MIN_PASSWORD_LENGTH = 8
MIN_COMMON_PASSWORDS = 1_000  # Django's own list has 20,000.
MAX_PASSWORD_LENGTH = 4096  # characters; hashing takes longer the more there are
FAST_HASHERS = {"MD5PasswordHasher", "UnsaltedMD5PasswordHasher", "SHA1PasswordHasher", "UnsaltedSHA1PasswordHasher"}
NON_SENDING_BACKENDS = (
    *(f"django.core.mail.backends.{kind}.EmailBackend" for kind in ("console", "dummy", "filebased", "locmem")),
    "project.email_backend.EmailBackend",
)


@register(Tags.security, deploy=True)
def check_cache(**_: object) -> list[CheckMessage]:
    """Return W001 if the processes do not share their counts of attempts (rate_limit.py)."""
    kind = _cache()
    if kind not in UNSUITABLE_CACHES:
        return []
    sentence = f"The default cache {UNSUITABLE_CACHES[kind]}, but rate limits rely on it."
    hint = "Set CACHE_URL to a Redis server. An in-memory cache is enough for a single process."
    return [Warning(sentence, hint=hint, id="accounts.W001")]


@register(Tags.security)
def check_workers(**_: object) -> list[CheckMessage]:
    """Return W002 if the environment asks for several processes that would not share them, even without --deploy."""
    workers = os.environ.get("WEB_CONCURRENCY", "")
    if _cache() not in ("LocMemCache", "DummyCache") or not workers.isdigit() or int(workers) < 2:
        return []
    sentence = f"WEB_CONCURRENCY is {workers}, but the processes don't share a cache for their rate limits."
    hint = "Set CACHE_URL to a Redis server, or set WEB_CONCURRENCY to 1."
    return [Warning(sentence, hint=hint, id="accounts.W002")]


@register()
def check_geoip(**_: object) -> list[CheckMessage]:
    """Return E001 if GEOIP_PATH is set and the file cannot be read (geoip.py)."""
    trouble = geoip.open_error(settings.GEOIP_PATH) if settings.GEOIP_PATH else ""
    if not trouble:
        return []
    hint = "Use a file in MaxMind's format, and install maxminddb (docs/explanation/dependencies.md)."
    return [Error(f"GEOIP_PATH can't be read: {trouble}", hint=hint, id="accounts.E001")]


@register(Tags.security)
def check_passwords(**_: object) -> Iterator[CheckMessage]:
    """Yield W003 if short or common passwords are accepted, or ones so long that hashing them is expensive."""
    wanted: Any = settings.AUTH_PASSWORD_VALIDATORS
    validators = password_validation.get_password_validators(wanted)
    lacking = []
    if not any(_min_length(each) >= MIN_PASSWORD_LENGTH for each in validators):
        lacking.append(f"MinimumLengthValidator with a min_length of {MIN_PASSWORD_LENGTH} or more")
    if not any(
        isinstance(each, MaximumLengthValidator) and each.max_length <= MAX_PASSWORD_LENGTH for each in validators
    ):
        lacking.append(
            f"accounts.security.validators.MaximumLengthValidator with a max_length of {MAX_PASSWORD_LENGTH} or less"
        )
    common = [each for each in validators if isinstance(each, password_validation.CommonPasswordValidator)]
    if not any(len(each.passwords) >= MIN_COMMON_PASSWORDS for each in common):
        lacking.append(f"CommonPasswordValidator with a list of {MIN_COMMON_PASSWORDS:,} passwords or more")
    for what in lacking:
        hint = "Restore it from project/settings.py."
        yield Warning(f"AUTH_PASSWORD_VALIDATORS lacks {what}.", hint=hint, id="accounts.W003")


@register(Tags.security)
def check_hashers(**_: object) -> Iterator[CheckMessage]:
    """Yield W004 if the passwords in a leaked table would be quick to guess."""
    first = settings.PASSWORD_HASHERS[0]
    if first.rpartition(".")[2] in FAST_HASHERS:
        yield Warning(
            f"The first of PASSWORD_HASHERS, {first}, makes hashes that are quick to crack.",
            hint="Put accounts.security.hashers.Argon2Hasher first. Old hashes are upgraded at the next sign-in.",
            id="accounts.W004",
        )


@register(Tags.security)
def check_required_factors(**_: object) -> Iterator[CheckMessage]:
    """Yield E002 for a word of REQUIRE_SECOND_FACTOR_FOR that names nobody."""
    for word in settings.REQUIRE_SECOND_FACTOR_FOR:
        names_group = word.startswith(policy.GROUP) and word != policy.GROUP
        if word not in ("staff", "superusers") and not names_group:
            yield Error(
                f"REQUIRE_SECOND_FACTOR_FOR has {word!r}, which names nobody.",
                hint="Use staff, superusers or group:NAME, with commas between them.",
                id="accounts.E002",
            )


@register(Tags.security)
def check_providers(**_: object) -> Iterator[CheckMessage]:
    """Yield E003 for what is wrong with PROVIDERS; project/environment.py refuses to start with it."""
    for problem in configuration.problems(settings.PROVIDERS, secrets=True):
        hint = "See docs/howto/providers.md."
        yield Error(f"PROVIDERS can't be used: {problem}.", hint=hint, id="accounts.E003")


@register(Tags.security, deploy=True)
def check_mail(**_: object) -> Iterator[CheckMessage]:
    """Yield W005 if no mail reaches anybody, and W006 if it travels unencrypted."""
    mailer: Any = default_mailer()
    backend = f"{type(mailer).__module__}.EmailBackend"
    if backend in NON_SENDING_BACKENDS:
        hint = "Set EMAIL_URL to a mail server, such as smtp+tls://user:password@mail.example.org:587."
        yield Warning(f"EMAIL_URL names {backend}, which sends no mail.", hint=hint, id="accounts.W005")
    elif mailer.host not in configuration.THIS_MACHINE and not (mailer.use_tls or mailer.use_ssl):
        yield Warning(
            f"EMAIL_URL sends mails to {mailer.host} unencrypted, but their links can set passwords.",
            hint="Use smtp+tls:// (port 587) or smtp+ssl:// (port 465).",
            id="accounts.W006",
        )


@register(Tags.security)
def check_rest_framework(**_: object) -> Iterator[CheckMessage]:
    """Yield W007 if Django REST framework would let in who knows a password, without the second factor."""
    if not apps.is_installed("rest_framework"):
        return
    from rest_framework.authentication import BasicAuthentication, TokenAuthentication
    from rest_framework.settings import api_settings

    for default in api_settings.DEFAULT_AUTHENTICATION_CLASSES:
        if issubclass(default, (BasicAuthentication, TokenAuthentication)):
            yield Warning(
                f"REST_FRAMEWORK lets in by {default.__module__}.{default.__name__}, which asks nobody for a second "
                "factor.",
                hint="Use tokens.contrib.drf, or SessionAuthentication.",
                id="accounts.W007",
            )


def _cache() -> str:
    kind: str = settings.CACHES["default"]["BACKEND"].rpartition(".")[2]
    return kind


def _min_length(validator: object) -> int:
    return validator.min_length if isinstance(validator, password_validation.MinimumLengthValidator) else 0

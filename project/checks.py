"""What can be set wrongly where the parts meet: proxies, names, cookies, the order of the middleware."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.http.request import validate_host

from tokens.conf import conf

TOKENS = "tokens.middleware.TokenMiddleware"
STRICT_COOKIES = "tokens.middleware.StrictCookiesMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
STATIC_FILES = "whitenoise.middleware.WhiteNoiseMiddleware"
LOGIN_REQUIRED = "tokens.middleware.LoginRequiredMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"

# All that guards a request, and what each has to stand before. Where nothing is named, it may stand anywhere.
GUARDS: dict[str, tuple[str, ...]] = {
    "project.middleware.ResponseHeadersMiddleware": (STATIC_FILES, TOKENS),  # whoever answers or sets a cookie
    "django.middleware.security.SecurityMiddleware": (STATIC_FILES, TOKENS),  # nothing is told over plain http
    "csp.middleware.CSPMiddleware": (STATIC_FILES,),
    "project.middleware.ClientIPMiddleware": (
        STATIC_FILES,
        TOKENS,
    ),  # rows, events and limits bear the visitor's address
    STRICT_COOKIES: (SESSIONS, "project.middleware.LanguageMiddleware", CSRF, TOKENS),  # all that read a cookie
    STATIC_FILES: (SESSIONS, TOKENS),  # files cost no session
    SESSIONS: (CSRF, "django.contrib.messages.middleware.MessageMiddleware"),
    "project.middleware.LanguageMiddleware": (
        "django.middleware.common.CommonMiddleware",
        CSRF,
        TOKENS,
    ),  # they speak to people
    "django.middleware.common.CommonMiddleware": (TOKENS,),
    CSRF: (TOKENS,),  # rotates its own cookie when somebody signs in
    TOKENS: (LOGIN_REQUIRED, "django.contrib.messages.middleware.MessageMiddleware"),
    LOGIN_REQUIRED: (
        "accounts.middleware.PendingDeletionMiddleware",
        "accounts.middleware.EmailVerificationMiddleware",
    ),
    "accounts.middleware.PendingDeletionMiddleware": ("accounts.middleware.EmailVerificationMiddleware",),
    "accounts.middleware.EmailVerificationMiddleware": (),
    "django.contrib.messages.middleware.MessageMiddleware": (),
    "django.middleware.clickjacking.XFrameOptionsMiddleware": (),
    "accounts.middleware.RefusalPagesMiddleware": (),
}
COOKIES = ("COOKIES_SECURE", "LANGUAGE_COOKIE_SECURE")  # Django looks after its own


def several_processes() -> bool:
    """Whether the environment asks gunicorn for more than one worker."""
    number = os.environ.get("WEB_CONCURRENCY", "")
    return number.isdigit() and int(number) > 1


@register(Tags.security)
def check_middleware(**_: object) -> Iterator[CheckMessage]:
    """E001: all that guards a request is there, in an order in which it can."""
    places = {path: place for place, path in enumerate(settings.MIDDLEWARE)}
    for guard, later in GUARDS.items():
        if guard not in places:
            hint = "Put it back where project/settings.py has it."
            yield Error(f"MIDDLEWARE lacks {guard}.", hint=hint, id="project.E001")
            continue
        for path in later:
            if places.get(path, len(places)) < places[guard]:
                hint = "Keep the order of project/settings.py."
                yield Error(f"MIDDLEWARE has {guard} after {path}.", hint=hint, id="project.E001")


@register(Tags.security)
def check_proxies(**_: object) -> Iterator[CheckMessage]:
    """E002: who may say that a request came by TLS is somebody that is trusted."""
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) and not settings.TRUSTED_PROXIES:
        yield Error(
            "SECURE_PROXY_SSL_HEADER is set while TRUSTED_PROXIES is 0: any visitor can say that they came by TLS.",
            hint="Say in TRUSTED_PROXIES how many proxies stand in front; that sets the header, too.",
            id="project.E002",
        )


@register(Tags.security, deploy=True)
def check_in_front(**_: object) -> Iterator[CheckMessage]:
    """W001: TLS ends at a proxy, and visitors keep their addresses behind it."""
    if not settings.TRUSTED_PROXIES:
        yield Warning(
            "TRUSTED_PROXIES is 0. Behind a proxy all visitors would be one, so that one who guesses holds up all; "
            "and whoever came by https would be sent to https for ever.",
            hint="Set TRUSTED_PROXIES to the number of proxies in front, 1 for ops/nginx.",
            id="project.W001",
        )


@register(Tags.security, deploy=True)
def check_cookies(**_: object) -> Iterator[CheckMessage]:
    """W002: no cookie of the site travels in the open."""
    for name in COOKIES:
        if not getattr(settings, name):
            hint = "Leave TOKENS_COOKIE_SECURE at true; it decides for all of them."
            yield Warning(f"{name} is off: cookies travel over plain http.", hint=hint, id="project.W002")


@register()
def check_metrics(**_: object) -> Iterator[CheckMessage]:
    """W003: the counters are those of all workers, not of whichever answers."""
    if several_processes() and settings.METRICS_TOKEN and not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        yield Warning(
            "WEB_CONCURRENCY asks for several workers, and PROMETHEUS_MULTIPROC_DIR is not set: what is shown to "
            "whoever has METRICS_TOKEN would be the counters of one of them.",
            hint="Set PROMETHEUS_MULTIPROC_DIR to a folder that they can write, such as /run/sojourn-metrics.",
            id="project.W003",
        )


@register(Tags.security, deploy=True)
def check_hosts(**_: object) -> Iterator[CheckMessage]:
    """W004-W005: the site answers to its own names, and to those alone."""
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Name those under which people reach the site."
        yield Warning("ALLOWED_HOSTS takes every name.", hint=hint, id="project.W004")
    host = urlsplit(conf.issuer).hostname or ""
    if not validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        yield Warning(
            f"TOKENS_ISSUER names {host}, which is not in ALLOWED_HOSTS: every link in a mail would be refused.",
            hint="Add it to ALLOWED_HOSTS, or correct TOKENS_ISSUER.",
            id="project.W005",
        )

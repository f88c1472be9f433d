"""Check the settings that connect the parts of the site: proxies, hosts, cookies, the order of the middleware."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.http.request import validate_host

from project.sizing import workers
from tokens.conf import conf

TOKENS = "tokens.middleware.TokenMiddleware"
STRICT_COOKIES = "tokens.middleware.StrictCookiesMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
STATIC_FILES = "project.middleware.StaticFilesMiddleware"
SECOND_FACTOR = "accounts.middleware.SecondFactorMiddleware"
LOGIN_REQUIRED = "accounts.middleware.LoginRequiredMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
REPEATED_FORMS = "accounts.middleware.RepeatedFormMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"

# The middleware that protects requests, and what each has to come before. Without any it may come anywhere.
GUARDS: dict[str, tuple[str, ...]] = {
    # What responds or sets a cookie; rows, events and limits contain the visitor's IP address.
    "project.middleware.SiteMiddleware": (STATIC_FILES, TOKENS),
    "django.middleware.security.SecurityMiddleware": (STATIC_FILES, TOKENS),  # Nothing is served over plain http.
    STRICT_COOKIES: (REPEATED_FORMS, SESSIONS, "project.middleware.LanguageMiddleware", CSRF, TOKENS),  # read a cookie
    STATIC_FILES: (REPEATED_FORMS, SESSIONS, TOKENS),  # Files need no session.
    REPEATED_FORMS: (SESSIONS, CSRF, TOKENS),  # An answer is kept with all of its cookies.
    SESSIONS: (CSRF, MESSAGES),
    "project.middleware.LanguageMiddleware": ("django.middleware.common.CommonMiddleware", CSRF, TOKENS),  # have texts
    "django.middleware.common.CommonMiddleware": (TOKENS,),
    CSRF: (TOKENS,),  # A sign-in rotates the CSRF cookie.
    TOKENS: (SECOND_FACTOR, LOGIN_REQUIRED, MESSAGES),
    SECOND_FACTOR: (LOGIN_REQUIRED,),  # It leads on whoever signs in.
    LOGIN_REQUIRED: ("accounts.middleware.PageMiddleware",),  # Pages that were not opened are not reached.
    MESSAGES: (),
    "django.middleware.clickjacking.XFrameOptionsMiddleware": (),
    "accounts.middleware.PageMiddleware": (),
}
COOKIES = ("COOKIES_SECURE", "LANGUAGE_COOKIE_SECURE")  # Django checks its own cookies.


@register(Tags.security)
def check_middleware(**_: object) -> Iterator[CheckMessage]:
    """Yield E001 if a middleware that protects requests is missing, or comes after one that depends on it."""
    positions = {path: index for index, path in enumerate(settings.MIDDLEWARE)}
    for guard, later in GUARDS.items():
        if guard not in positions:
            hint = "Restore it where project/settings.py has it."
            yield Error(f"MIDDLEWARE lacks {guard}.", hint=hint, id="project.E001")
            continue
        for path in later:
            if positions.get(path, len(positions)) < positions[guard]:
                hint = "Restore the order of project/settings.py."
                yield Error(f"MIDDLEWARE has {guard} after {path}.", hint=hint, id="project.E001")


@register(Tags.security)
def check_proxies(**_: object) -> Iterator[CheckMessage]:
    """Yield E002 if any client could claim that a request came by TLS."""
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) and not settings.TRUSTED_PROXIES:
        yield Error(
            "SECURE_PROXY_SSL_HEADER is set but TRUSTED_PROXIES is 0, so any client can claim to use TLS.",
            hint="Set TRUSTED_PROXIES to the number of proxies in front of the site. That sets the header as well.",
            id="project.E002",
        )


@register(Tags.security, deploy=True)
def check_in_front(**_: object) -> Iterator[CheckMessage]:
    """Yield W001 if no proxy is trusted, since behind one all visitors would seem to have the same IP address."""
    if not settings.TRUSTED_PROXIES:
        yield Warning(
            "TRUSTED_PROXIES is 0. Behind a proxy, all visitors would share one IP address, so throttling one would "
            "throttle everyone, and https would redirect to itself forever.",
            hint="Set TRUSTED_PROXIES to the number of proxies in front of the site, 1 for ops/nginx.",
            id="project.W001",
        )


@register(Tags.security, deploy=True)
def check_cookies(**_: object) -> Iterator[CheckMessage]:
    """Yield W002 if a cookie of the site would be sent over plain http."""
    for name in COOKIES:
        if not getattr(settings, name):
            hint = "Leave TOKENS_COOKIE_SECURE on. It sets this for all cookies."
            yield Warning(f"{name} is off, so its cookies are sent over plain http.", hint=hint, id="project.W002")


@register()
def check_metrics(**_: object) -> Iterator[CheckMessage]:
    """Yield W003 if the metrics would be those of whichever worker answers instead of all workers."""
    if workers() > 1 and settings.METRICS_TOKEN and not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        yield Warning(
            "WEB_CONCURRENCY asks for several workers but PROMETHEUS_MULTIPROC_DIR isn't set, so /metrics would show "
            "only one worker's counters.",
            hint="Set PROMETHEUS_MULTIPROC_DIR to a folder they can write to, such as /run/sojourn-metrics.",
            id="project.W003",
        )


@register(Tags.security, deploy=True)
def check_hosts(**_: object) -> Iterator[CheckMessage]:
    """Yield W004 if the site answers to any host name, and W005 if it does not answer to its own."""
    if "*" in settings.ALLOWED_HOSTS:
        hint = "List the site's host names."
        yield Warning("ALLOWED_HOSTS accepts any host name.", hint=hint, id="project.W004")
    host = urlsplit(conf.issuer).hostname or ""
    if not validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        yield Warning(
            f"TOKENS_ISSUER names {host}, which isn't in ALLOWED_HOSTS, so every link in a mail would be refused.",
            hint="Add it to ALLOWED_HOSTS, or correct TOKENS_ISSUER.",
            id="project.W005",
        )

"""System checks of each setting by itself; `project_checks` has those of what surrounds `tokens`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from stat import S_IROTH
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning
from django.core.checks import register as register_check
from django.db.models import EmailField, SlugField, URLField
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from .conf import conf
from .core import jwt
from .core.exceptions import InvalidKeys
from .core.jwt import MAX_LENGTH, AccessClaims, Claim
from .models import admission
from .project_checks import (
    check_apps,
    check_channels,
    check_databases,
    check_middleware,
    check_packages,
    check_session_age,
    check_session_cookie,
)
from .revocation import shared_revocation_list

SPANS = (
    "TOKENS_ACCESS_LIFETIME",
    "TOKENS_IDLE_LIFETIME",
    "TOKENS_ABSOLUTE_LIFETIME",
    "TOKENS_BROWSER_LIFETIME",
    "TOKENS_CONFIRM_AFTER",
)
PAUSES = ("TOKENS_REVOCATION_LAG", "TOKENS_REVOCATION_GRACE")
LARGEST_LIST = 2**31  # as far as the column counts
RESERVED = {"iss", "aud", "sub", "iat", "exp", "nbf", "jti", "type", "sid", "gen", "rti", "ver", "new", "status"}
RESERVED |= {"auth_time", "amr", "acr", "partial"}


def register() -> None:
    register_check(check_settings, Tags.security)
    register_check(check_length, Tags.security)
    register_check(check_order, Tags.security)
    register_check(check_middleware, Tags.security)
    register_check(check_packages, Tags.security)
    register_check(check_databases, Tags.security)
    register_check(check_session_cookie, Tags.security)
    register_check(check_session_age, Tags.security)
    register_check(check_channels, Tags.security)
    register_check(check_apps, Tags.security)
    register_check(check_deployment, Tags.security, deploy=True)


def check_settings(**_: object) -> list[CheckMessage]:
    """Return E001-E009, E011-E017 and E019-E022: values that cannot work.

    Lifetimes are compared once each is a number.
    """
    return [
        *_names(),
        *(_spans() or _order()),
        *_choices(),
        *_cache(),
        *_keys(),
        *_status_list(),
        *_claims(),
        *_adoption(),
        *_binding(),
        *_url_names(),
    ]


def check_length(**_: object) -> list[CheckMessage]:
    """Return W003 unless every access token can be read back, however long its user's name; if the settings work."""
    if check_settings():
        return []
    token = jwt.write_access(_longest(), ring=conf.key_ring, issuer=conf.issuer, audience=conf.audience)
    if len(token) <= MAX_LENGTH:
        return []
    return [
        Warning(
            f"An access token can have {len(token):,} characters, but at most {MAX_LENGTH:,} are accepted. Users with "
            "such a token would be refreshed on every request.",
            hint="Use an ES256 key (manage.py tokenkeys), or fewer TOKENS_USER_CLAIMS.",
            id="tokens.W003",
        )
    ]


def check_order(**_: object) -> list[CheckMessage]:
    """Return W005 unless a browser session outlives its first access token, and no session that is kept."""
    if check_settings() or conf.access_lifetime < conf.browser_lifetime <= conf.absolute_lifetime:
        return []
    return [
        Warning(
            "TOKENS_BROWSER_LIFETIME is not between TOKENS_ACCESS_LIFETIME and TOKENS_ABSOLUTE_LIFETIME.",
            hint="Sessions that aren't kept end first. Make it longer than the first, but no longer than the second.",
            id="tokens.W005",
        )
    ]


def check_deployment(**_: object) -> list[CheckMessage]:
    """Return W001-W002, W004, W006-W009: settings that are fit for development only, or for a while."""
    found: list[CheckMessage] = []
    if not conf.cookie_secure:
        found.append(Warning("TOKENS_COOKIE_SECURE is off, so cookies are sent over plain http.", id="tokens.W001"))
    if not hasattr(settings, "TOKENS_ISSUER"):
        found.append(Warning("TOKENS_ISSUER isn't set. Set it to this site's URL.", id="tokens.W002"))
    return [*found, *_plain_address(), *_late(), *_readable_keys(), *_endless(), *_forgetful()]


def _plain_address() -> Iterator[CheckMessage]:
    if hasattr(settings, "TOKENS_ISSUER") and urlsplit(str(conf.issuer)).scheme != "https":
        yield Warning(
            f"TOKENS_ISSUER is {conf.issuer}, so links in mails and requests for the public keys use plain http.",
            hint="Start it with https://. Every token contains it, so changing it signs everyone out.",
            id="tokens.W004",
        )


def _late() -> Iterator[CheckMessage]:
    if not check_settings() and conf.revocation_lag >= conf.access_lifetime:
        yield Warning(
            "TOKENS_REVOCATION_LAG is as long as TOKENS_ACCESS_LIFETIME, so an ended session works until it expires.",
            hint="Use a few seconds at most. It costs each process one short query.",
            id="tokens.W006",
        )


def _readable_keys() -> Iterator[CheckMessage]:
    try:
        open_to_all = bool(conf.keys and Path(conf.keys).stat().st_mode & S_IROTH)
    except OSError:  # E012 says so
        return
    if open_to_all:
        yield Warning(
            "Everyone on this machine can read the file in TOKENS_KEYS, and sign in as anyone with its keys.",
            hint=f"chmod 600 {conf.keys}, or 640 with the server's group.",
            id="tokens.W007",
        )


def _endless() -> Iterator[CheckMessage]:
    own = conf.adopt_sessions == settings.SESSION_COOKIE_NAME
    if conf.adopt_sessions and (settings.SESSION_ENGINE if own else conf.adopt_engine).endswith("signed_cookies"):
        yield Warning(
            "TOKENS_ADOPT_SESSIONS accepts sessions stored in signed cookies, which no server can end.",
            hint="Unset it once SESSION_COOKIE_AGE has passed.",
            id="tokens.W008",
        )


def _forgetful() -> Iterator[CheckMessage]:
    if conf.revocation_cache and not check_settings() and shared_revocation_list.may_lose_keys():
        yield Warning(
            "TOKENS_REVOCATION_CACHE names a cache that drops keys when it's full, so ended sessions could go on.",
            hint="Use a Redis server with maxmemory-policy noeviction. Until then, every request reads its row.",
            id="tokens.W009",
        )


def _is_private(alias: str) -> bool:
    backend = settings.CACHES.get(alias, {}).get("BACKEND", "") if alias else ""
    return backend.rpartition(".")[2] in ("LocMemCache", "DummyCache")


def _names() -> Iterator[CheckMessage]:
    for name, value in (("TOKENS_ISSUER", conf.issuer), ("TOKENS_AUDIENCE", conf.audience)):
        if not isinstance(value, str) or not value:
            yield Error(f"{name} must be a non-empty string.", id="tokens.E001")

    prefix = getattr(settings, "TOKENS_COOKIE_PREFIX", "")
    if not isinstance(prefix, str) or re.fullmatch(r"[\w-]*", prefix, re.ASCII) is None:
        yield Error(
            "TOKENS_COOKIE_PREFIX must contain only letters, digits, hyphens and underscores.", id="tokens.E019"
        )


def _spans() -> list[CheckMessage]:
    def wrong(value: object, least: float) -> bool:
        return not isinstance(value, int | float) or isinstance(value, bool) or not least <= value < inf

    return [
        *(
            Error(f"{name} must be a number of seconds, at least 1.", id="tokens.E002")
            for name in SPANS
            if wrong(getattr(settings, name, 1), 0.1 if name == "TOKENS_CONFIRM_AFTER" else 1)
        ),
        *(
            Error(f"{name} must be a number of seconds, 0 or more.", id="tokens.E003")
            for name in PAUSES
            if wrong(getattr(settings, name, 0), 0)
        ),
    ]


def _order() -> Iterator[CheckMessage]:
    if not conf.access_lifetime < conf.idle_lifetime <= conf.absolute_lifetime:
        yield Error(
            "TOKENS_IDLE_LIFETIME must be longer than TOKENS_ACCESS_LIFETIME, but no longer than "
            "TOKENS_ABSOLUTE_LIFETIME.",
            id="tokens.E004",
        )
    if conf.confirm_after > conf.access_lifetime / 3:
        yield Error(
            "TOKENS_CONFIRM_AFTER must be at most a third of TOKENS_ACCESS_LIFETIME, or no token would be confirmed.",
            id="tokens.E005",
        )


def _choices() -> Iterator[CheckMessage]:
    if conf.reuse_revokes not in ("all", "family"):
        yield Error('TOKENS_REUSE_REVOKES must be "all" or "family".', id="tokens.E006")
    if type(conf.max_sessions) is not int or conf.max_sessions < 1:
        yield Error("TOKENS_MAX_SESSIONS must be a whole number, 1 or more.", id="tokens.E007")
    if type(conf.cookie_secure) is not bool:
        yield Error("TOKENS_COOKIE_SECURE must be True or False.", id="tokens.E009")


def _binding() -> Iterator[CheckMessage]:
    lifetime: object = conf.bound_lifetime
    if (
        not isinstance(lifetime, int | float)
        or isinstance(lifetime, bool)
        or not (lifetime == 0 or 300 <= lifetime < inf)
    ):
        yield Error(
            "TOKENS_BOUND_LIFETIME must be a number of seconds, at least 300, or 0.",
            hint="Browsers allow about six proofs in nine minutes.",
            id="tokens.E020",
        )
    elif lifetime:
        try:
            reverse("tokens_binding:register")
        except NoReverseMatch:
            yield Error(
                "TOKENS_BOUND_LIFETIME is set, but the URLs that browsers bind sessions with aren't included.",
                hint='Add path("device-binding/", include("tokens.contrib.device_binding")) to ROOT_URLCONF.',
                id="tokens.E021",
            )


def _url_names() -> Iterator[CheckMessage]:
    if name := conf.reauthentication_url:
        try:
            reverse(name)
        except NoReverseMatch:
            yield Error("TOKENS_REAUTHENTICATION_URL must be the name of a URL.", id="tokens.E022")


def _cache() -> Iterator[CheckMessage]:
    if conf.revocation_cache and conf.revocation_cache not in settings.CACHES:
        yield Error("TOKENS_REVOCATION_CACHE must be an alias in CACHES.", id="tokens.E011")
    if _is_private(conf.revocation_cache):
        yield Error("TOKENS_REVOCATION_CACHE names a cache that other processes can't see.", id="tokens.E013")
    elif conf.revocation_cache in settings.CACHES and not _has_own_server(conf.revocation_cache):
        yield Error(
            "TOKENS_REVOCATION_CACHE must name a cache used for nothing else, on one server without other caches. "
            "Otherwise, whoever fills those (with failed sign-ins, for example) keeps sessions from ending.",
            id="tokens.E017",
        )


def _has_own_server(alias: str) -> bool:
    others = set().union(*(_servers(other) for other in settings.CACHES if other != alias))
    return alias != "default" and len(_servers(alias)) == 1 and _servers(alias).isdisjoint(others)


def _servers(alias: str) -> set[object]:
    """Return where a cache is kept. The databases of one Redis share its memory, so they count as one."""
    location = settings.CACHES[alias].get("LOCATION", "")
    urls = re.split("[;,]", location) if isinstance(location, str) else location
    parts = [(url, urlsplit(url)) for url in urls]
    return {(part.hostname, part.port or 6379) if part.netloc else url.partition("?")[0] for url, part in parts if url}


def _keys() -> Iterator[CheckMessage]:
    try:
        conf.key_ring  # noqa: B018
    except InvalidKeys as error:
        yield Error(str(error), hint="See manage.py tokenkeys.", id="tokens.E012")


def _status_list() -> Iterator[CheckMessage]:
    size = conf.status_list
    if type(size) is not int or size % 8 or not 0 <= size <= LARGEST_LIST:
        yield Error(
            "TOKENS_STATUS_LIST must be 0 or the number of sessions the list has room for, a multiple of 8.",
            id="tokens.E014",
        )
    elif size and _is_symmetric():
        yield Error(
            "TOKENS_STATUS_LIST is on, but other services can't verify what an HS256 key signs.",
            hint="Use public keys in TOKENS_KEYS. See manage.py tokenkeys.",
            id="tokens.E015",
        )


def _is_symmetric() -> bool:
    try:
        return conf.key_ring.current.public is None
    except InvalidKeys:  # E012 says so
        return False


def _claims() -> Iterator[CheckMessage]:
    columns = get_user_model()._meta.concrete_fields
    fit = {name for field in columns for name in (field.name, field.attname)} - RESERVED - {"password"}
    claims: object = conf.user_claims
    names = claims if isinstance(claims, Iterable) and not isinstance(claims, str) else [claims]
    for name in names:
        if names is not claims or name not in fit:
            yield Error(
                f"TOKENS_USER_CLAIMS can't include {name!r}. Use a list of fields of the user model that aren't secret "
                "and whose names aren't claims already.",
                id="tokens.E008",
            )


def _adoption() -> Iterator[CheckMessage]:
    try:
        found = isinstance(conf.adopt_sessions, str) and import_string(f"{conf.adopt_engine}.SessionStore")
    except (ImportError, ValueError):
        found = False
    if not found:
        yield Error(
            "TOKENS_ADOPT_SESSIONS must be a cookie's name, and TOKENS_ADOPT_ENGINE what SESSION_ENGINE was.",
            id="tokens.E016",
        )


def _longest() -> AccessClaims:
    uuid = str(UUID(int=0))
    numbers = {"gen": 10**4, "ver": 10**4, "iat": 10**10, "exp": 10**10, "auth_time": 10**10}
    user = {name: _longest_value(name) for name in conf.user_claims}
    sub = "0" * (get_user_model()._meta.pk.max_length or 10)
    idx = conf.status_list - 1 if conf.status_list else None
    how = ("pwd", "swk", "user", "mfa")
    others: dict[str, Any] = {**numbers, "new": True, "partial": admission.may_find_more()}
    return AccessClaims(sub=sub, sid=uuid, jti=uuid, rti=uuid, idx=idx, amr=how, acr="phr", user=user, **others)


def _longest_value(name: str) -> Claim:
    field = get_user_model()._meta.get_field(name)
    character = "a" if isinstance(field, EmailField | SlugField | URLField) else "\U00020000"  # one octet, or four
    return character * (getattr(field, "max_length", None) or 0) or False

"""The settings, each with its default beside its name. Lifetimes and other spans are in seconds.

Each is read once, and again after a change that Django announces (`override_settings`): a signed-in request needs a
dozen, and a setting that is not set costs Django a search each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.signals import setting_changed
from django.utils.functional import cached_property

from .core.keyfile import key_file
from .core.keys import KeyRing, derived_ring

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

T = TypeVar("T")
# `bound` says that the browser has recently proven possession of its session's key (tokens/binding/marks.py).
# `probe-told` keeps the probe of which the site was told, while others follow it.
CookieKind = Literal["access", "refresh", "reauth", "probe", "probe-told", "bound", "unproven"]


class Conf:
    """One property for each setting; `tokens.checks` validates the values."""

    @cached_property
    def issuer(self) -> str:
        """Return `iss` of every token: the URL of this site."""
        return _setting("TOKENS_ISSUER", "http://localhost")

    @cached_property
    def audience(self) -> str:
        """Return `aud` of access tokens; the issuer, unless neighbours are to be told apart."""
        return _setting("TOKENS_AUDIENCE", self.issuer)

    @cached_property
    def access_lifetime(self) -> float:
        """Return how long an access token lives."""
        return _setting("TOKENS_ACCESS_LIFETIME", 15 * 60)

    @cached_property
    def idle_lifetime(self) -> float:
        """Return how long a session lives without being used."""
        return _setting("TOKENS_IDLE_LIFETIME", 7 * 24 * 3600)

    @cached_property
    def absolute_lifetime(self) -> float:
        """Return how long a session lives that is kept ("keep me signed in")."""
        return _setting("TOKENS_ABSOLUTE_LIFETIME", 30 * 24 * 3600)

    @cached_property
    def browser_lifetime(self) -> float:
        """Return how long a session lives that is not kept; usually its browser is closed before."""
        return _setting("TOKENS_BROWSER_LIFETIME", 24 * 3600)

    @cached_property
    def confirm_after(self) -> float:
        """Return how old a refresh token must be for its use to confirm it: three of the longest round trips fit in."""
        return _setting("TOKENS_CONFIRM_AFTER", min(120, self.access_lifetime / 3))

    @cached_property
    def reuse_revokes(self) -> str:
        """Return what a stolen token ends: "all" sessions of its user, or only its "family"."""
        return _setting("TOKENS_REUSE_REVOKES", "all")

    @cached_property
    def cookie_secure(self) -> bool:
        """Return False only for plain http on a name other than localhost: `__Host-` and Secure go."""
        return _setting("TOKENS_COOKIE_SECURE", True)

    @cached_property
    def cookie_start(self) -> str:
        """Return how the names of cookies begin: `__Host-`, or `__Host-shop-` if TOKENS_COOKIE_PREFIX is "shop".

        Cookies don't know ports, so two sites on one host need names of their own.
        """
        prefix = _setting("TOKENS_COOKIE_PREFIX", "").rstrip("-")
        return ("__Host-" if self.cookie_secure else "") + (f"{prefix}-" if prefix else "")

    @cached_property
    def cookie_names(self) -> dict[CookieKind, str]:
        """Return the full name of each cookie, such as `__Host-access`."""
        return {kind: self.cookie_start + kind for kind in get_args(CookieKind)}

    @cached_property
    def revocation_lag(self) -> float:
        """Return how long a process may go on without reading what was revoked elsewhere; 0: it reads each time."""
        return _setting("TOKENS_REVOCATION_LAG", 1)

    @cached_property
    def revocation_grace(self) -> float:
        """Return how long access tokens are accepted after the last successful reading; then, 503."""
        return _setting("TOKENS_REVOCATION_GRACE", 60)

    @cached_property
    def revocation_cache(self) -> str:
        """Return the alias of a cache that all processes share, for the revocation list; empty: each keeps its own."""
        return _setting("TOKENS_REVOCATION_CACHE", "")

    @cached_property
    def user_model(self) -> type[AbstractBaseUser]:
        """Return Django's AUTH_USER_MODEL."""
        return get_user_model()

    @cached_property
    def user_claims(self) -> list[str]:
        """Return the fields of the user that an access token carries."""
        model = get_user_model()
        fields = {field.name for field in model._meta.concrete_fields}
        default = [name for name in (model.USERNAME_FIELD, "is_staff") if name in fields]
        return _setting("TOKENS_USER_CLAIMS", default)

    @cached_property
    def max_sessions(self) -> int:
        """Return how many live sessions a user can have; the longest idle is ended first."""
        return _setting("TOKENS_MAX_SESSIONS", 100)

    @cached_property
    def bound_lifetime(self) -> float:
        """Return how long a browser need not prove again that it is on the device of its session; 0: none is bound."""
        return _setting("TOKENS_BOUND_LIFETIME", 0)

    @cached_property
    def reauthentication_url(self) -> str:
        """Return the name of the URL that asks users who they are, for a browser that cannot prove its key just now."""
        return _setting("TOKENS_REAUTHENTICATION_URL", "")

    @cached_property
    def status_list(self) -> int:
        """Return how many sessions the status list for neighbours has room for; 0: there is none."""
        return _setting("TOKENS_STATUS_LIST", 0)

    @cached_property
    def adopt_sessions(self) -> str:
        """Return the name of a cookie of `django.contrib.sessions` whose sessions are taken over; empty: none are."""
        return _setting("TOKENS_ADOPT_SESSIONS", "")

    @cached_property
    def adopt_engine(self) -> str:
        """Return the SESSION_ENGINE that stores those sessions, if the site has another cookie for its own by now."""
        return _setting("TOKENS_ADOPT_ENGINE", "django.contrib.sessions.backends.db")

    @cached_property
    def keys(self) -> str:
        """Return a file with a JWK Set; empty: the key is derived from SECRET_KEY."""
        return str(_setting("TOKENS_KEYS", "") or "")  # a Path will do

    @property
    def key_ring(self) -> KeyRing:
        """Return the keys in the file, or those derived from SECRET_KEY (signs) and SECRET_KEY_FALLBACKS (verify).

        Raises InvalidKeys if the file has never been valid.
        """
        if self.keys:
            return key_file(self.keys).ring()
        return self._derived_ring

    @cached_property
    def _derived_ring(self) -> KeyRing:
        return derived_ring(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


def _setting(name: str, default: T) -> T:
    value: T = getattr(settings, name, default)
    return value


conf = Conf()


def forget(**_: object) -> None:
    """Read the settings again."""
    vars(conf).clear()


setting_changed.connect(forget, dispatch_uid="tokens.conf")

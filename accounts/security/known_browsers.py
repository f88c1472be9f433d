"""Which accounts a browser has signed in to before: a signed cookie of its own says so, and nothing is stored here.

It signs nobody in. It lets its owner past the strangers who try their password (throttle.py), and tells a browser that
is new. It names nobody: for each account it has a mark that another password makes void.
"""

from dataclasses import dataclass
from secrets import token_urlsafe

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from accounts.models import User

LIFETIME = 400 * 24 * 60 * 60  # seconds: browsers keep no cookie for longer (RFC 6265bis §5.5)
MAX_ACCOUNTS = 5  # accounts; of more than that the one that was used longest ago goes
SALT = "accounts.security.known_browsers"


@dataclass(frozen=True, slots=True)
class Browser:
    """`id` is random, and `marks` are of the accounts, the latest first."""

    id: str
    marks: tuple[str, ...] = ()

    def knows(self, user: User) -> bool:
        return not set(self.marks).isdisjoint(_marks(self.id, user))

    def remembering(self, user: User) -> "Browser":
        new, *old = _marks(self.id, user)
        others = (mark for mark in self.marks if mark not in (new, *old))
        return Browser(self.id, (new, *others)[:MAX_ACCOUNTS])


def from_request(request: HttpRequest) -> Browser | None:
    """The browser that `request` comes from, if it has a cookie of ours that is not too old."""
    try:
        name, marks = signing.loads(request.COOKIES[settings.DEVICE_COOKIE_NAME], salt=SALT, max_age=LIFETIME)
    except (KeyError, signing.BadSignature):
        return None
    return Browser(name, tuple(marks))


def is_known(request: HttpRequest, user: User) -> bool:
    """Whether `user` has signed in with this browser before, by the password that they have now."""
    browser = from_request(request)
    return browser is not None and browser.knows(user)


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Has the browser know `user`, who has just given their password or chosen it. A new password makes it, and every
    other, forget."""
    browser = (from_request(request) or Browser(token_urlsafe(16))).remembering(user)
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps([browser.id, browser.marks], salt=SALT),
        max_age=LIFETIME,
        secure=settings.COOKIES_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _marks(browser: str, user: User) -> list[str]:
    """What stands for `user` in this browser: the mark made under the secret key, then those under former ones."""
    told = f"{browser} {user.pk} {user.password_version}"
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    made = (salted_hmac(SALT, told, secret=secret, algorithm="sha256") for secret in secrets)
    return [mark.hexdigest()[:32] for mark in made]

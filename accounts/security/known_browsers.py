"""Recognise the browsers in which a user has signed in before, by a signed cookie; nothing is stored on the server.

The cookie signs nobody in. It lets the account's owner past the strangers who guess their password (throttle.py), and
tells whether a browser is new. It identifies nobody: for each account it holds a tag that a change of the password
invalidates. Past those who guess the codes of a second factor it lets only a browser in which one was shown: whoever
knows the password may have any number of others, from before there was a factor.
"""

from dataclasses import dataclass
from datetime import timedelta
from secrets import token_urlsafe

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from accounts.models import User
from accounts.security import cookies

LIFETIME = timedelta(days=400)  # browsers keep no cookie for longer (RFC 6265bis §5.5)
MAX_ACCOUNTS = 5  # beyond these the one that was used longest ago is forgotten
SALT = "accounts.security.known_browsers"


@dataclass(frozen=True, slots=True)
class Browser:
    """Hold what the cookie says: a random `id`, and one tag for each account, the most recent first."""

    id: str
    tags: tuple[str, ...] = ()

    def knows(self, user: User, *, by_factor: bool = False) -> bool:
        """Return whether `user` has signed in with this browser by their present password, or by a factor as well."""
        tags = {*_tags(self.id, user, by_factor=True), *([] if by_factor else _tags(self.id, user))}
        return not tags.isdisjoint(self.tags)

    def remembering(self, user: User, *, by_factor: bool = False) -> "Browser":
        """Return this browser with the tag of `user` in front, without their former tags.

        Where they have shown a factor, a sign-in without one changes nothing about that.
        """
        plain, better = _tags(self.id, user), _tags(self.id, user, by_factor=True)
        new = better[0] if by_factor or self.knows(user, by_factor=True) else plain[0]
        others = (tag for tag in self.tags if tag not in (*plain, *better))
        return Browser(self.id, (new, *others)[:MAX_ACCOUNTS])


def from_request(request: HttpRequest) -> Browser | None:
    """Return the browser that `request` comes from, or None without a valid cookie that is recent enough."""
    try:
        name, tags = signing.loads(request.COOKIES[settings.DEVICE_COOKIE_NAME], salt=SALT, max_age=LIFETIME)
    except (KeyError, signing.BadSignature):
        return None
    return Browser(name, tuple(tags))


def is_known(request: HttpRequest, user: User) -> bool:
    """Return whether `user` has signed in with this browser before, by the password that they have now."""
    browser = from_request(request)
    return browser is not None and browser.knows(user)


def remember(request: HttpRequest, response: HttpResponseBase, user: User, *, by_factor: bool = False) -> None:
    """Make the browser remember `user`, who has just entered or chosen their password, or shown a factor.

    A new password makes every other browser forget them.
    """
    browser = (from_request(request) or Browser(token_urlsafe(16))).remembering(user, by_factor=by_factor)
    value = signing.dumps([browser.id, browser.tags], salt=SALT)
    cookies.write(response, settings.DEVICE_COOKIE_NAME, value, LIFETIME)


def _tags(browser: str, user: User, *, by_factor: bool = False) -> list[str]:
    """Return the tags of `user` in this browser: the one under the secret key, then those under the fallback keys."""
    message = f"{browser} {user.pk} {user.password_version}" + (" and a factor" if by_factor else "")
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    made = (salted_hmac(SALT, message, secret=secret, algorithm="sha256") for secret in secrets)
    return [tag.hexdigest()[:32] for tag in made]

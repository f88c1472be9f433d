"""Answer a form that is sent twice as it was answered the first time: by a double click, or by going back.

A browser shows the answer to its last request only, so the second has to tell what the first has done, and bring its
cookies. Each view of a form has a CSRF token of its own, so the same body from the same browser is the same view.
"""

import pickle
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from typing import TypeVar

from cryptography.fernet import Fernet
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from accounts.security.rate_limit import with_store
from tokens.conf import conf

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

KEPT_FOR = 60  # seconds
LONGEST_WAIT = 10  # seconds for the first answer, if that is still being made
_PAUSE = 0.05
_SALT = "accounts.security.repeated_forms"
_PENDING = b""


@dataclass(frozen=True, slots=True)
class SentForm:
    """Represent one form as one browser has sent it, by a digest: the form may be long, and is waited for."""

    identity: bytes

    @property
    def key(self) -> str:
        """Return the cache key of the answer."""
        return f"answer:{salted_hmac(f'{_SALT}.key', self.identity, algorithm='sha256').hexdigest()}"

    @property
    def cipher(self) -> Fernet:
        """Return what encrypts the answer, which may bring tokens: only the same form can decrypt it."""
        return Fernet(urlsafe_b64encode(salted_hmac(f"{_SALT}.cipher", self.identity, algorithm="sha256").digest()))

    def is_first(self) -> bool:
        """Return whether nobody has sent it before; whoever comes next then waits for `keep`."""
        return with_store(lambda store: store.add(self.key, _PENDING, KEPT_FOR))

    def keep(self, response: HttpResponseBase) -> None:
        """Keep the answer, but not until the browser may have settled on newer tokens than those that it brings."""
        answer = self.cipher.encrypt(pickle.dumps(response))
        with_store(lambda store: store.set(self.key, answer, min(KEPT_FOR, conf.confirm_after / 2)))

    def forget(self) -> None:
        """Let the form be sent again: it did nothing, or may as well be done twice."""
        with_store(lambda store: store.delete(self.key))

    def first_answer(self) -> HttpResponseBase | None:
        """Wait for the first answer and return it, or None if the form did nothing and may as well be sent again."""
        for _ in range(int(LONGEST_WAIT / _PAUSE)):
            answer = with_store(lambda store: store.get(self.key))
            if answer != _PENDING:
                return pickle.loads(self.cipher.decrypt(answer)) if answer else None  # noqa: S301  (we have encrypted it)
            sleep(_PAUSE)
        return None


def repeatable(view: View) -> View:
    """Keep no answers of a view that may as well run twice: anybody could fill the cache with them."""
    view.repeatable = True  # type: ignore[attr-defined]
    return view


def sent_form(request: HttpRequest) -> SentForm | None:
    """Return the form that `request` sends, or None if it sends none of the site's."""
    if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
        return None
    browser = request.COOKIES.get(settings.CSRF_COOKIE_NAME)
    if not browser:
        return None
    try:
        body = request.body
    except OSError:  # The connection was lost, which is for the view to see.
        return None
    if b"csrfmiddlewaretoken=" not in body:
        return None
    sent = b"\n".join((browser.encode(), request.build_absolute_uri().encode(), body))
    return SentForm(salted_hmac(_SALT, sent, algorithm="sha256").digest())

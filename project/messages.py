"""Store messages in a cookie whose name has the site's prefix."""

from django.conf import settings
from django.contrib.messages.storage.base import BaseStorage
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.signing import Signer, get_cookie_signer
from django.http import HttpRequest
from django.utils.functional import cached_property


class PrefixedCookieStorage(CookieStorage):
    """Name the cookie of Django's messages, for which Django has no setting.

    Most requests have no message. So its signer is made when one is read or stored: to make it takes longer than most
    middlewares do.
    """

    cookie_name = settings.MESSAGES_COOKIE_NAME

    def __init__(self, request: HttpRequest) -> None:
        BaseStorage.__init__(self, request)

    @cached_property
    def signer(self) -> Signer:
        """Return what signs the cookie."""
        return get_cookie_signer(salt=self.key_salt)  # type: ignore[attr-defined]  # the stubs lack it

"""Store messages in a cookie whose name has the site's prefix."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class PrefixedCookieStorage(CookieStorage):
    """Name the cookie of Django's messages, for which Django has no setting."""

    cookie_name = settings.MESSAGES_COOKIE_NAME

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage


class PrefixedCookieStorage(CookieStorage):
    """Django's messages in a cookie; Django has no setting for its name."""

    cookie_name = settings.MESSAGES_COOKIE_NAME

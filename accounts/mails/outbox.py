"""Enqueue mails in the transaction that they report on; they are sent once it has committed (accounts/mails/worker.py).

The row says what happened, to whom, when and from where. The text (templates/mails/), the links and their tokens are
made when the mail is sent (accounts/mails/messages.py), so no secret is stored in the database.
"""

from django.conf import settings
from django.http import HttpRequest
from django.urls import get_script_prefix, reverse
from django.utils.translation import get_language

from accounts.models import OutgoingMail, User
from tokens import client


def enqueue(
    kind: str,
    user: User | None,
    request: HttpRequest | None = None,
    *,
    to: str = "",
    language: str = "",
    **context: str | int | bool | list[str] | None,
) -> None:
    """Enqueue a mail of this kind for `user`, to their email or to `to`.

    `request` tells the IP address and the browser (None if it was no request); `context` is what the templates need
    besides, and nothing secret. The mail is in `language`, or in that of `user`, rather than that of a thief who makes
    us write to them; if neither is known, in the active one. It belongs to the open transaction, and is rolled back
    with it. Without a user and a recipient it costs the same, and is sent to nobody.
    """
    if request:
        context = {"ip_address": client.ip_address(request), "user_agent": client.user_agent(request), **context}
    OutgoingMail.objects.create(
        kind=kind,
        user=user,
        to=to or (user.email if user else ""),
        language=language or (user and user.language) or get_language() or settings.LANGUAGE_CODE,
        context=context,
    )


def masked_email(email: str) -> str:
    """Return as much of an email as a log, or a mail to another email, may hold."""
    return f"{email[:1]}•••@{email.rpartition('@')[2]}"


def base_url() -> str:
    """Return the URL of this site without a trailing slash; it is a setting, so no Host header gets into a mail.

    Of a site below a path, that is in it.
    """
    return str(settings.TOKENS_ISSUER).rstrip("/")


def absolute_url(url_name: str, **kwargs: object) -> str:
    """Return the full URL of a page, for a mail."""
    path = reverse(url_name, kwargs=kwargs).removeprefix(get_script_prefix())  # which is "/" outside of a request
    return f"{base_url()}/{path}"

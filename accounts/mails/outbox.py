"""Mails to people: kept in the transaction that they tell of, sent once it has committed (accounts/mails/worker.py).

What is kept says what happened, to whom, when and from where. The words (templates/mails/), the links and their tokens
are made when the mail is sent (accounts/mails/messages.py): no secret waits in the database.
"""

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language

from accounts.models import OutgoingMail, User
from tokens import origin


def enqueue(
    kind: str,
    user: User | None,
    request: HttpRequest | None = None,
    *,
    to: str = "",
    language: str = "",
    **facts: str | int | bool | list[str] | None,
) -> None:
    """Keep a mail of this kind for `user`, to the address that is stored of them or to `to`.

    `request` tells from which IP address and browser (None: not by a request), `facts` what else the templates are to
    know; nothing secret is among them. The mail speaks `language`, or that of `user`, and not of a thief who makes us
    write to them; if we know none, the one that is active. It is part of the open transaction: rolled back, it never
    was. Without a user and an address it is made like any other, and sent to nobody.
    """
    if request:
        facts = {"ip_address": origin.address(request), "user_agent": origin.user_agent(request), **facts}
    OutgoingMail.objects.create(
        kind=kind,
        user=user,
        to=to or (user.email if user else ""),
        language=language or (user and user.language) or get_language() or settings.LANGUAGE_CODE,
        facts=facts,
    )


def base_url() -> str:
    """The address of this site, without a slash at the end: a Host header never gets into a mail."""
    return str(settings.TOKENS_ISSUER).rstrip("/")


def absolute_url(url_name: str, **kwargs: object) -> str:
    """The whole address of a page, for a mail."""
    return base_url() + reverse(url_name, kwargs=kwargs)

"""Mails to people: plain text, from templates/mails/, sent once what they tell is committed."""

import logging
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

logger = logging.getLogger("accounts")


def send(template: str, to: str, /, **context: Any) -> None:
    """Send mails/<template>.txt to the address `to`, after the transaction that is open commits.

    The template's first line is the subject. `{{ site }}` in it is the address of this site as it
    is configured: a Host header never gets into a mail. A mail that cannot be sent is logged.
    """
    text = render_to_string(f"mails/{template}.txt", {"site": site(), **context})
    subject, _, body = text.strip().partition("\n")
    message = EmailMessage(subject.strip(), body.lstrip("\n"), to=[to])
    transaction.on_commit(partial(_deliver, message, template))


def site() -> str:
    """The address of this site, without a slash at the end."""
    return str(settings.TOKENS_ISSUER).rstrip("/")


def link(url_name: str, **kwargs: Any) -> str:
    """The whole address of a page, for a mail."""
    return site() + reverse(url_name, kwargs=kwargs)


def _deliver(message: EmailMessage, template: str) -> None:
    try:
        message.send()
    except Exception:  # whatever a mail server may do, the page stands
        logger.exception("The mail %r could not be sent.", template)

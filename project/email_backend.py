"""Write mails to files for the demo, one file for each message, and show them on the console."""

import itertools
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends import console
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

_numbers = itertools.count(1)


class EmailBackend(BaseEmailBackend):
    """Write each message to a file of its own, unlike Django's backend, which writes one file for each connection."""

    def __init__(self, *, file_path: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.folder = Path(settings.EMAIL_FILE_PATH if file_path is None else file_path)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the messages, and return how many there were."""
        for message in email_messages:
            write_file(message, self.folder)
        with suppress(OSError):  # Whoever read the console may have closed it.
            console.EmailBackend().send_messages([without_html(message) for message in email_messages])
        return len(email_messages)


def write_file(message: EmailMessage, folder: Path) -> Path:
    """Write the message to a file of its own, by renaming: no reader of the folder sees an incomplete one."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{timezone.now():%Y%m%d-%H%M%S}-{os.getpid()}-{next(_numbers)}.eml"
    unfinished = folder / f".{name}"
    unfinished.write_bytes(message.message().as_bytes())
    return unfinished.rename(folder / name)


def without_html(message: EmailMessage) -> EmailMessage:
    """Return the message without its HTML, which would be unreadable on a console."""
    return EmailMessage(message.subject, message.body, message.from_email, message.to, headers=message.extra_headers)

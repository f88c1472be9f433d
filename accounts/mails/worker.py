"""Send the enqueued mails from a thread, so that no request waits for the mail server.

Each process has a worker thread. It is notified when a mail is committed, and also looks now and then for what other
processes left. A mail is claimed by one conditional UPDATE, so no two workers send it at once; it is deleted once the
server has accepted it. If a process dies in between, the mail is sent again: at least once, and always under one
Message-ID.
"""

import atexit
import logging
import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.core import mail as django_mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.db import Error, connections

from accounts.mails import messages as mail_messages
from accounts.mails.outbox import masked_email
from accounts.models import EmailVerification, OutgoingMail
from accounts.security import rate_limit
from accounts.signals import mail_tried

logger = logging.getLogger("accounts")

_BATCH_SIZE = 100
_POLL_INTERVAL = 30  # seconds
_JOIN_TIMEOUT = 5  # seconds for which a process that exits waits for the mail being sent
_HOUR = 3600
_ALERT = rate_limit.Bucket("mail-server-unavailable", rate_limit.Rate(1, _HOUR, _HOUR, _HOUR))


def notify() -> None:
    """Tell this process's worker that there is a mail. It is sent a moment later, and never in this thread."""
    _worker().notify()


def start() -> None:
    """Start this process's worker unless it is running, so that it sends what others left."""
    _worker().start()


def stop() -> None:
    """Stop this process's worker after the mail that it is sending."""
    if os.getpid() in _workers:
        _worker().stop()


def send_due(stopping: Callable[[], bool] = lambda: False) -> int:
    """Send every mail that is due, the longest waiting first, and return how many a mail server accepted.

    A mail that fails is tried again later and does not hold up the others; if the server is unavailable, the others
    wait without being tried. `stopping` is called between two mails and says whether to stop. Raise nothing but
    database errors.
    """
    sent = 0
    connection = default_mailer()
    try:
        while due := list(OutgoingMail.objects.due()[:_BATCH_SIZE]):
            for mail in due:
                if stopping():
                    return sent
                if mail.claim():
                    sent += _send(mail, connection)
    except _ServerUnavailable as error:
        _alert(error)
    finally:
        _close(connection)
    return sent


def default_mailer() -> BaseEmailBackend:
    """Return a mailer as the settings describe it: MAILERS, or EMAIL_BACKEND and others before Django 6.1."""
    mailers: Any = getattr(django_mail, "mailers", None)
    mailer: BaseEmailBackend = mailers.default if mailers else django_mail.get_connection()
    return mailer


class MailWorker:
    """Run one process's thread. Nothing is lost when it dies: the mail that it was sending is due again later."""

    def __init__(self) -> None:
        self.wakeup = threading.Event()
        self.stopping = threading.Event()
        self.database_down = False
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread unless it is alive."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self.work, name="mail-worker", daemon=True)
                self._thread.start()

    def notify(self) -> None:
        """Wake the thread, and start it if need be."""
        self.start()
        self.wakeup.set()

    def stop(self) -> None:
        """Stop the thread, and wait for the mail that it is sending."""
        self.stopping.set()
        self.wakeup.set()
        if self._thread:
            self._thread.join(_JOIN_TIMEOUT)

    def work(self, poll: float = _POLL_INTERVAL) -> None:
        """Send what is due after each wake-up and every `poll` seconds, until `stopping` is set."""
        while not self.stopping.wait(_pause()):
            self._run_once()
            self.wakeup.wait(poll)
            self.wakeup.clear()

    def _run_once(self) -> None:
        try:
            send_due(self.stopping.is_set)
            self.database_down = False
        except Error:
            if not self.database_down:
                logger.exception("The waiting mails cannot be read from the database. The worker will try again.")
            self.database_down = True
        except Exception:  # The thread has to survive any error.
            logger.exception("The mail worker failed unexpectedly.")
        finally:
            with suppress(Error):
                connections.close_all()


_workers: dict[int, MailWorker] = {}  # by process, since after a fork the thread is gone and its locks may be held
atexit.register(stop)


def _worker() -> MailWorker:
    """Return this process's worker."""
    process = os.getpid()
    return _workers.get(process) or _workers.setdefault(process, MailWorker())


def _pause() -> float:
    """Return a random number of seconds, so that the cost of a mail does not show in the time of any response."""
    return 0.1 + secrets.randbelow(400) / 1000


class _ServerUnavailable(Exception):
    """Report that the mail server can't be reached, or refuses this site rather than a mail."""


def _send(mail: OutgoingMail, connection: BaseEmailBackend) -> bool:
    """Send one claimed mail, and return whether a mail server accepted it."""
    try:
        message = mail_messages.compose(mail)
        if message and mail.to:
            validate_email(mail.to)
            _transmit(message, connection)
    except Error:
        raise
    except Exception as error:  # An error of a mail server or a template must not hold up the other mails.
        _handle_failure(mail, error)
        if isinstance(error, _ServerUnavailable):
            raise
        _close(connection)
        return False
    mail.delete()
    if not (message and mail.to):
        return False
    mail_tried.send(OutgoingMail, outcome="sent")
    return True


def _transmit(message: EmailMessage, connection: BaseEmailBackend) -> None:
    """Hand a message to the mail server. Raise _ServerUnavailable, or an error that concerns this message."""
    try:
        connection.open()
    except OSError as error:  # smtplib's exceptions are subclasses.
        raise _ServerUnavailable(_cause(error)) from None
    try:
        connection.send_messages([message])
    except SMTPResponseException as error:
        if isinstance(error, SMTPDataError) or error.smtp_code < 500:
            raise
        raise _ServerUnavailable(_cause(error)) from None  # It refuses our name or our sender: that of every mail.


def _close(connection: BaseEmailBackend) -> None:
    with suppress(OSError):
        connection.close()


def _alert(error: _ServerUnavailable) -> None:
    """Log once an hour, for all processes, that the mail server is unavailable."""
    if not rate_limit.acquire([_ALERT]):
        logger.error(
            "The mail server is unavailable: %s. Mails wait, and are tried for a week.",
            error,
            extra={"kind": "mail_server_unavailable"},
        )


def _handle_failure(mail: OutgoingMail, error: Exception) -> None:
    """Drop a mail that will never be accepted, or is too old; postpone any other.

    Strangers choose whom we write to, so none of this is an error of ours but a bug.
    """
    if _is_permanent(error):
        _drop(mail, "refused", "was refused for good", error)
        EmailVerification.objects.filter(pk=mail.context.get("asked")).mark_refused()
    elif mail.is_stale:
        _drop(mail, "expired", "could not be sent for a week", error)
    else:
        _postpone(mail, error)


def _drop(mail: OutgoingMail, outcome: str, words: str, error: Exception) -> None:
    mail.delete()
    logger.warning(
        *("The mail %r to %s %s and was dropped: %s.", mail.kind, masked_email(mail.to), words, _cause(error)),
        extra={"kind": f"mail_{outcome}"},
    )
    mail_tried.send(OutgoingMail, outcome=outcome)


def _postpone(mail: OutgoingMail, error: Exception) -> None:
    is_bug = not isinstance(error, OSError | _ServerUnavailable)
    is_new = is_bug and mail.attempts == 1
    seconds = mail.postpone().total_seconds()
    logger.log(
        logging.ERROR if is_new else logging.INFO,
        *("The mail %r could not be sent. The next attempt is in %d s: %s.", mail.kind, seconds, _cause(error)),
        exc_info=is_new,
        extra={"kind": "mail_failed" if is_bug else "mail_postponed"},
    )
    mail_tried.send(OutgoingMail, outcome="postponed")


def _is_permanent(error: Exception) -> bool:
    """Return whether the server will never take this mail, or the email is invalid. Anything else may be temporary."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    if isinstance(error, SMTPDataError):
        return error.smtp_code >= 500
    return isinstance(error, ValidationError)


def _cause(error: Exception) -> str:
    """Return what went wrong, without the server's own text, which may quote the email."""
    if isinstance(error, _ServerUnavailable):
        return str(error)
    if isinstance(error, SMTPRecipientsRefused):
        return f"rejected with {', '.join(str(code) for code, _ in error.recipients.values())}"
    code = f" {error.smtp_code}" if isinstance(error, SMTPResponseException) else ""
    return type(error).__name__ + code

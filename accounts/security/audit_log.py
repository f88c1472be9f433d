"""Log what happens to accounts and sessions once it is committed, in English, by ids and without names."""

import logging
from functools import partial

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import translation

from accounts.models import SecurityEvent, User
from tokens.models import RefreshToken
from tokens.signals import rows_revoked

logger = logging.getLogger("accounts")

ACCOUNT_DELETED = "account_deleted"


@receiver(post_save, sender=SecurityEvent)
def log_event(instance: SecurityEvent, **kwargs: object) -> None:
    """Log the event in English, whichever language is active."""
    with translation.override(None):
        sentence = str(instance.get_kind_display())
    provider = "" if instance.method in RefreshToken.Method else instance.method
    ids = {"session_id": instance.session_id, "actor_id": instance.actor_id, "provider": provider}
    related = {name: str(value) for name, value in ids.items() if value}
    user_id = str(instance.user_id or "")  # Empty rather than absent, or the log would add the user of the request.
    _log_on_commit(f"{sentence}.", kind=instance.kind, user_id=user_id, **related)


@receiver(post_delete, sender=User)
def log_deletion(instance: User, **kwargs: object) -> None:
    """Log whose account is gone: no event names them, and a restored backup brings them back (`afterrestore`)."""
    _log_on_commit("The account was deleted.", kind=ACCOUNT_DELETED, user_id=str(instance.pk))


@receiver(rows_revoked)
def log_revocations(reason: str, count: int, **kwargs: object) -> None:
    """Log how many sessions were ended, and why."""
    _log_on_commit("Sessions were ended.", kind="sessions_ended", reason=reason, count=count)


def _log_on_commit(sentence: str, **fields: object) -> None:
    transaction.on_commit(partial(logger.info, sentence, extra=fields), robust=True)

"""What happens to accounts and sessions, told to the log: when it is certain, in English, by ids and without names."""

import logging
from functools import partial

from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import translation

from accounts.models import SecurityEvent
from tokens.signals import rows_revoked

logger = logging.getLogger("accounts")


@receiver(post_save, sender=SecurityEvent)
def tell_event(instance: SecurityEvent, **kwargs: object) -> None:
    with translation.override(None):
        sentence = str(instance.get_kind_display())
    ids = {"session_id": instance.session, "by_id": instance.by_id}
    told = {name: str(value) for name, value in ids.items() if value is not None}
    person = str(instance.user_id or "")  # nobody that is known is not whoever is signed in here
    _tell(f"{sentence}.", kind=instance.kind, user_id=person, **told)


@receiver(rows_revoked)
def tell_end(reason: str, count: int, **kwargs: object) -> None:
    _tell("Sessions were ended.", kind="sessions_ended", reason=reason, count=count)


def _tell(sentence: str, **about: object) -> None:
    transaction.on_commit(partial(logger.info, sentence, extra=about), robust=True)

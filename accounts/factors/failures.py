"""Record each failure at a second factor, and tell the user of many: whoever tries has given the password."""

from datetime import timedelta

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.mails import outbox
from accounts.models import SecurityEvent, User
from accounts.security import rate_limit
from accounts.security.rate_limit import Bucket, Rate

MANY = 5  # in a day; whoever mistypes has found the right code by then
_DAY = 24 * 60 * 60  # seconds
_MAIL_RATE = Rate(free=1, first=_DAY, longest=_DAY, window=_DAY)


def record(request: HttpRequest, user: User) -> None:
    """Record that `user`, or somebody with their password or session, has failed; write to them once a day."""
    kind = SecurityEvent.Kind.SECOND_FACTOR_FAILED
    with transaction.atomic():
        SecurityEvent.objects.record(request, user, kind)
        events = SecurityEvent.objects.filter(
            user=user, kind=kind, created_at__gt=timezone.now() - timedelta(seconds=_DAY)
        )
        if events.count() >= MANY and not rate_limit.acquire([Bucket(f"second-factor-alerts:{user.pk}", _MAIL_RATE)]):
            outbox.enqueue("second_factor_failed", user, request)

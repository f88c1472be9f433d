"""Describe sessions to their user, as the page of sessions lists them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.account.geoip import location
from accounts.account.user_agents import Device, describe
from accounts.models import SecurityEvent, User
from accounts.providers import registry
from tokens.conf import conf
from tokens.models import RefreshToken

_ENDED_LISTED_FOR = timedelta(days=30)  # how long a session stays in the list after it has ended
_MAX_ENDED = 20  # how many ended sessions are listed
_Method = RefreshToken.Method
_HOW: dict[tuple[str, str], object] = {  # what was shown beside the method (RFC 8176), and the words for both
    (_Method.PASSWORD, "otp"): gettext_lazy("with your password and a code"),
    (_Method.PASSWORD, "hwk"): gettext_lazy("with your password and a passkey"),
    (_Method.PASSWORD, "swk"): gettext_lazy("with your password and a passkey"),
    (_Method.PASSWORD, "rba"): gettext_lazy("with your password, in a browser you trust"),
    (_Method.API, "otp"): gettext_lazy("from an app, with your password and a code"),
}


@dataclass(frozen=True)
class Session:
    """Describe one session to its user; `is_current` marks that of the browser that asks."""

    row: RefreshToken
    is_current: bool = False

    @property
    def key(self) -> str:
        """Return the id of the session."""
        return str(self.row.pk)

    @property
    def device(self) -> Device:
        """Return browser and system."""
        return describe(self.row.user_agent)

    @property
    def title(self) -> str:
        """Return the name that its user gave it, or its device."""
        return self.row.name or str(self.device)

    @property
    def how(self) -> str:
        """Return how it was opened, in words."""
        return how_opened(self.row.method, self.row.amr)

    @property
    def is_bound(self) -> bool:
        """Return whether it works only in the browser that has the key of its device."""
        return bool(conf.bound_lifetime and self.row.bound_proved_at)

    @property
    def location(self) -> str:
        """Return city and country, or ""."""
        return location(self.row.ip_address)

    @property
    def seen(self) -> str:
        """Return when it was last used, in hours or days: the row is updated once an hour at most."""
        if self.is_current:
            return _("Active now")
        hours = (timezone.now() - self.row.last_used_at) // timedelta(hours=1)
        if hours < 1:
            return _("Active in the last hour")
        if hours < 24:
            return ngettext("Active %(n)d hour ago", "Active %(n)d hours ago", hours) % {"n": hours}
        days = hours // 24
        return ngettext("Active %(n)d day ago", "Active %(n)d days ago", days) % {"n": days}

    def matches(self, query: str) -> bool:
        """Return whether every word of `query` is in its name, its device, its place or its IP address."""
        text = f"{self.row.name} {self.device} {self.location} {self.row.ip_address}".casefold()
        return all(word in text for word in query.casefold().split())

    @property
    def ended_at(self) -> datetime:
        """Return when the session ended."""
        return self.row.revoked_at or self.row.expires_at

    @property
    def reason(self) -> str:
        """Return why the session ended, in words."""
        return self.row.get_reason_display() or str(RefreshToken.Reason.EXPIRED.label)


def how_opened(method: str, amr: str) -> str:
    """Return how a session was opened, in words that follow "signed in": the first of what was shown decides."""
    if method not in _Method:
        return _("with %(provider)s") % {"provider": registry.find(method) or method}  # which may be gone by now
    found = (_HOW.get((method, shown)) for shown in amr.split())
    return str(next(filter(None, found), _Method(method).label))


def add_how(events: Iterable[SecurityEvent]) -> None:
    """Let each of these events say how, if it is known."""
    for event in events:
        event.how = how_opened(event.method, event.amr) if event.method else ""


def live(user: User, current_id: UUID | None) -> list[Session]:
    """Return the live sessions of `user`: the one with the id `current_id` first, then the most recently used."""
    rows = RefreshToken.objects.for_user(user).live().order_by("-last_used_at", "-created_at")
    sessions = [Session(row, is_current=row.pk == current_id) for row in rows]
    return sorted(sessions, key=lambda session: not session.is_current)


def ended(user: User) -> list[Session]:
    """Return the sessions that have ended within thirty days, the latest first."""
    since = timezone.now() - _ENDED_LISTED_FOR
    with_all = Case(When(created_at__lte=F("all_ended_at"), then="all_ended_at"))
    rows = RefreshToken.objects.for_user(user).ended().alias(over_at=Coalesce("revoked_at", with_all, "expires_at"))
    return [Session(row) for row in rows.filter(over_at__gte=since).order_by("-over_at")[:_MAX_ENDED]]


def end(request: HttpRequest, row: RefreshToken) -> bool:
    """End a session of the user who asks, and record it; return whether it was this call that did."""
    with transaction.atomic():
        ended = row.revoke(RefreshToken.Reason.ENDED)
        if ended:
            SecurityEvent.objects.record(request, request.user, SecurityEvent.Kind.SESSION_ENDED, session_id=row.pk)
    return ended

"""The rows of the sessions page, in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.account.geoip import location
from accounts.account.user_agents import Device, describe
from accounts.models import User
from tokens.models import RefreshToken

_ENDED_LISTED_FOR = timedelta(days=30)  # how long a session that is over stays in the list
_MAX_ENDED = 20  # and how many of those


@dataclass(frozen=True)
class Session:
    """One sign-in as its owner sees it; `here` marks the browser that asks."""

    row: RefreshToken
    here: bool = False

    @property
    def key(self) -> str:
        return str(self.row.pk)

    @property
    def device(self) -> Device:
        return describe(self.row.user_agent)

    @property
    def title(self) -> str:
        return self.row.name or str(self.device)

    @property
    def location(self) -> str:
        return location(self.row.ip_address)

    @property
    def seen(self) -> str:
        """When it was last used. The row is stamped once an hour at most, so no finer than that."""
        if self.here:
            return _("Active now")
        hours = (timezone.now() - self.row.last_used_at) // timedelta(hours=1)
        if hours < 1:
            return _("Active within the last hour")
        if hours < 24:
            return ngettext("Active %(n)d hour ago", "Active %(n)d hours ago", hours) % {"n": hours}
        days = hours // 24
        return ngettext("Active %(n)d day ago", "Active %(n)d days ago", days) % {"n": days}

    @property
    def ended_at(self) -> datetime:
        return self.row.revoked_at or self.row.expires_at

    @property
    def reason(self) -> str:
        return self.row.get_reason_display() or str(RefreshToken.Reason.EXPIRED.label)


def live(user: User, here: UUID | None) -> list[Session]:
    """Everywhere `user` is signed in: the session with the id `here` first, then the latest used."""
    rows = RefreshToken.objects.for_user(user).live().order_by("-last_used_at", "-created_at")
    sessions = [Session(row, here=row.pk == here) for row in rows]
    return sorted(sessions, key=lambda session: not session.here)


def ended(user: User) -> list[Session]:
    """What is over since no more than thirty days, the latest first."""
    since = timezone.now() - _ENDED_LISTED_FOR
    rows = RefreshToken.objects.for_user(user).ended().alias(over_at=Coalesce("revoked_at", "expires_at"))
    return [Session(row) for row in rows.filter(over_at__gte=since).order_by("-over_at")[:_MAX_ENDED]]

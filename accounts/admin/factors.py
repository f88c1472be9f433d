"""Show what users sign in with beside their password, without the secrets."""

from collections.abc import Iterator
from datetime import datetime

from django.contrib import admin
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Identity, Passkey, User
from accounts.providers import registry


class FactorsMixin(admin.options.BaseModelAdmin):  # type: ignore[type-arg]
    """Add fields with the factors and providers of a user, read in three queries."""

    @admin.display(description=gettext_lazy("factors"))
    def factors(self, user: User) -> SafeString:
        """Return a line for each factor, for the codes left, and for the browsers that need none."""
        return format_html_join("", "<div>{} · {}</div>", _lines(user))

    @admin.display(description=gettext_lazy("accounts at providers"))
    def identities(self, user: User) -> SafeString:
        """Return a line for each account elsewhere that signs in to this one."""
        lines = (
            (registry.label(identity), identity, _("Last used on %(day)s") % _day(identity.last_used_at))
            for identity in Identity.objects.filter(user=user)
        )
        return format_html_join("", "<div>{} · {} · {}</div>", lines)


def _lines(user: User) -> Iterator[tuple[str, str]]:
    for passkey in Passkey.objects.filter(user=user):
        used, name = passkey.last_used_at, format_html("{} · {}", _("Passkey"), passkey)
        yield name, _("Last used on %(day)s") % _day(used) if used else _("Added on %(day)s") % _day(passkey.created_at)
    codes = Count("recovery_codes", Q(recovery_codes__used_at=None), distinct=True)
    browsers = Count("trusted_browsers", Q(trusted_browsers__expires_at__gt=timezone.now()), distinct=True)
    found = User.objects.filter(pk=user.pk).annotate(codes=codes, browsers=browsers)
    [(added, left, trusted)] = found.values_list("authenticator__confirmed_at", "codes", "browsers")
    if added:
        yield _("Authenticator app"), _("Added on %(day)s") % _day(added)
    if left:
        yield _("Recovery codes"), ngettext("%(n)s left", "%(n)s left", left) % {"n": left}
    if trusted:
        yield _("Trusted browsers"), str(trusted)


def _day(moment: datetime) -> dict[str, str]:
    return {"day": date_format(localtime(moment), "DATE_FORMAT")}

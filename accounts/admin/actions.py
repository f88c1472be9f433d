"""Let administrators act on users: on those selected in the list, or from the page of one.

Each action is recorded with its actor in the same transaction. Users whom the administrator may not manage are left
out.
"""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.account import export
from accounts.admin.confirmation import MAX_NAMED, ConfirmationMixin, confirmed, reason_in
from accounts.admin.permissions import can_manage, manageable
from accounts.factors import policy, removal, trusted_browsers
from accounts.mails import outbox
from accounts.models import SecurityEvent, User
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind


def _sessions_end(users: QuerySet[User]) -> str:
    count = RefreshToken.objects.on_primary().live().filter(user__in=users).count()
    text = ngettext(
        "We'll sign them out of %(n)d session right away. They can sign in again.",
        "We'll sign them out of %(n)d sessions right away. They can sign in again.",
        count,
    )
    return text % {"n": count}


def _accounts_close(users: QuerySet[User]) -> str:
    return _("We'll sign them out everywhere, and they can't sign in until you reopen the account.")


def _links_go(users: QuerySet[User]) -> str:
    return _("We'll email each of them a link to choose a new password. Until then, the old one works.")


def _factors_go(users: QuerySet[User]) -> str:
    return _(
        "We'll email them at once and every day. If nobody cancels it, we'll remove their second step in three days "
        "and sign them out everywhere. Make sure that it's really them who asked."
    )


def _with_way_back(request: HttpRequest, text: str, closed: list[User]) -> str:
    """Return `text` with a button that reopens the accounts just closed, if a message can hold their keys."""
    if not 0 < len(closed) <= MAX_NAMED:
        return text
    field = '<input type="hidden" name="_selected_action" value="{}">'
    keys = format_html_join("", field, ((user.pk,) for user in closed))
    return format_html(
        '{} <form class="undo" method="post" action="{}">'
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<input type="hidden" name="action" value="activate">{}<button>{}</button></form>',
        text,
        reverse("admin:accounts_user_changelist"),
        get_token(request),
        keys,
        _("Reopen"),
    )


class UserActionsMixin(ConfirmationMixin):
    """Add the actions, each with a permission of its own."""

    actions = ("end_sessions", "deactivate", "activate", "send_reset", "export", "remove_factors")
    labels = (  # of the buttons on a user's own page
        ("end_sessions", gettext_lazy("Sign out everywhere")),
        ("send_reset", gettext_lazy("Send a password link")),
        ("export", gettext_lazy("Download data")),
        ("remove_factors", gettext_lazy("Remove second step")),
        ("deactivate", gettext_lazy("Close account")),
        ("activate", gettext_lazy("Reopen account")),
    )

    def available_actions(self, request: HttpRequest, user: User) -> list[tuple[str, object]]:
        """Return names and labels of the actions that are permitted on `user` and would have an effect."""
        if not can_manage(request.user, user):
            return []
        pointless = {"deactivate": not user.is_active or user.pk == request.user.pk, "activate": user.is_active}
        pointless["send_reset"] = not user.can_reset_password
        allowed = self.get_actions(request)
        if "remove_factors" in allowed:
            pointless["remove_factors"] = not policy.has_factor(user)
        return [(name, title) for name, title in self.labels if name in allowed and not pointless.get(name)]

    @admin.action(description=gettext_lazy("Sign out selected users everywhere"), permissions=["end_sessions"])
    @confirmed(gettext_lazy("Sign users out everywhere"), _sessions_end)
    def end_sessions(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """End all sessions of the selected users."""
        with transaction.atomic():
            chosen = self._manageable(request, users)
            count = RefreshToken.objects.revoke_for(chosen, RefreshToken.Reason.ADMIN)
            trusted_browsers.distrust(*chosen)
            for user in chosen:
                SecurityEvent.objects.record(request, user, Kind.ALL_ENDED, actor=request.user)
        text = ngettext("Ended %(n)d session.", "Ended %(n)d sessions.", count)
        messages.success(request, text % {"n": count})

    @admin.action(description=gettext_lazy("Close accounts of selected users"), permissions=["deactivate"])
    @confirmed(gettext_lazy("Close accounts"), _accounts_close)
    def deactivate(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Deactivate the selected users except the administrator's own account, so that a superuser is left."""
        with transaction.atomic():
            others = [user.pk for user in self._manageable(request, users) if user.pk != request.user.pk]
            active = list(User.objects.select_for_update().filter(pk__in=others, is_active=True).order_by("pk"))
            trusted_browsers.distrust(*active)
            for user in active:
                user.is_active = False
                user.save(update_fields=["is_active"])  # This ends their sessions as well.
                SecurityEvent.objects.record(request, user, Kind.DEACTIVATED, actor=request.user)
        text = ngettext("Closed %(n)d account.", "Closed %(n)d accounts.", len(active)) % {"n": len(active)}
        messages.success(request, _with_way_back(request, text, active))

    @admin.action(description=gettext_lazy("Reopen accounts of selected users"), permissions=["deactivate"])
    def activate(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Reopen the accounts of the selected users. Their old sessions stay ended."""
        with transaction.atomic():
            chosen = [user.pk for user in self._manageable(request, users)]
            closed = list(User.objects.select_for_update().filter(pk__in=chosen, is_active=False).order_by("pk"))
            for user in closed:
                user.is_active = True
                user.save(update_fields=["is_active"])
                SecurityEvent.objects.record(request, user, Kind.ACTIVATED, actor=request.user)
        text = ngettext("Reopened %(n)d account.", "Reopened %(n)d accounts.", len(closed))
        messages.success(request, text % {"n": len(closed)})

    @admin.action(description=gettext_lazy("Send selected users a password link"), permissions=["reset"])
    @confirmed(gettext_lazy("Send password links"), _links_go)
    def send_reset(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Send links to a new password.

        The old password works until the user has set another; nobody else ever learns either.
        """
        chosen = self._manageable(request, users)
        eligible = [user for user in chosen if user.can_reset_password]
        with transaction.atomic():
            for user in eligible:
                SecurityEvent.objects.record(request, user, Kind.RESET_ASKED, actor=request.user)
                outbox.enqueue("password_reset", user, by_administrator=True)
        if eligible:
            text = ngettext("Sent %(n)d link.", "Sent %(n)d links.", len(eligible))
            messages.success(request, text % {"n": len(eligible)})
        if others := len(chosen) - len(eligible):
            text = ngettext(
                "%(n)d account is closed or has no password, so we didn't send anything.",
                "%(n)d accounts are closed or have no password, so we didn't send them anything.",
                others,
            )
            messages.warning(request, text % {"n": others})

    @admin.action(description=gettext_lazy("Download the selected user's data"), permissions=["export"])
    def export(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Download the data of the one selected user."""
        chosen = self._manageable(request, users)
        if len(chosen) != 1:
            messages.error(request, _("Select one user. Each one gets a separate file."))
            return None
        SecurityEvent.objects.record(request, chosen[0], Kind.EXPORTED, actor=request.user)
        return export.download(chosen[0])

    @admin.action(description=gettext_lazy("Remove the second step of selected users"), permissions=["remove_factors"])
    @confirmed(gettext_lazy("Remove second steps"), _factors_go, with_reason=True)
    def remove_factors(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Start the delayed removal for the selected users; the reason stays in their history."""
        started = 0
        for user in self._manageable(request, users):
            with transaction.atomic():
                if removal.start_by_admin(request, user):
                    self.log_change(request, user, reason_in(request))
                    started += 1
        text = ngettext(
            "We'll remove the second step of %(n)d user.", "We'll remove the second steps of %(n)d users.", started
        )
        messages.success(request, text % {"n": started})

    def within_reach(self, request: HttpRequest, rows: QuerySet[User]) -> QuerySet[User]:
        """Return the users whom the administrator may manage."""
        return manageable(request.user, rows).order_by("pk")

    def has_end_sessions_permission(self, request: HttpRequest) -> bool:
        """Return whether the administrator may end sessions."""
        return bool(request.user.has_perm("tokens.end_refreshtoken"))

    def has_deactivate_permission(self, request: HttpRequest) -> bool:
        """Return whether the administrator may close and open accounts."""
        return bool(request.user.has_perm("accounts.deactivate_user"))

    def has_reset_permission(self, request: HttpRequest) -> bool:
        """Return whether the administrator may send links to a new password."""
        return bool(request.user.has_perm("accounts.reset_user"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Return whether the administrator may download the data of users."""
        return bool(request.user.has_perm("accounts.export_user"))

    def has_remove_factors_permission(self, request: HttpRequest) -> bool:
        """Return whether the administrator may start the removal of second factors."""
        return bool(request.user.has_perm("accounts.remove_factors_user"))

    def _manageable(self, request: HttpRequest, users: QuerySet[User]) -> list[User]:
        """Return the users whom the administrator may manage, ordered by key, as all code locks them."""
        chosen = list(self.within_reach(request, users))
        if left_out := users.count() - len(chosen):
            text = ngettext(
                "%(n)d user is on the staff. Only a superuser can do that.",
                "%(n)d users are on the staff. Only a superuser can do that.",
                left_out,
            )
            messages.warning(request, text % {"n": left_out})
        return chosen

"""Change a password, or reset a forgotten one by mail."""

from contextlib import suppress

from django.contrib import messages
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import INTERNAL_RESET_SESSION_TOKEN
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.account import recovery
from accounts.email.ownership import EmailTaken, claim
from accounts.factors import policy as factors_policy
from accounts.factors import removal
from accounts.forms import PasswordChangeForm, PasswordResetForm, SetPasswordForm
from accounts.mails import alerts, outbox
from accounts.models import SecurityEvent, User
from accounts.security import known_browsers, limits, throttle
from accounts.security.reauthentication import factor_required_first
from accounts.security.reset_tokens import reset_tokens
from accounts.types import Request
from accounts.views.mail_links import DeadLink, no_referrer
from tokens.decorators import anonymous_only

Kind = SecurityEvent.Kind


@method_decorator(factor_required_first, name="dispatch")
class PasswordChange(auth_views.PasswordChangeView):
    """Let a user change their password; this browser stays signed in, and `tokens` ends all other sessions.

    A removal of their second factors that was asked for by the old one is cancelled.
    """

    request: Request
    template_name = "accounts/password_change.html"
    form_class = PasswordChangeForm
    success_url = reverse_lazy("sessions")

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Have whoever has no password yet choose one by mail."""
        if not self.request.user.has_usable_password():
            return redirect("password_reset")
        return super().get(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, object]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        if not throttle.allows(form, self.request, limits.PASSWORD_CHANGE, self.request.user):
            return self.form_invalid(form)
        chosen = form.save(commit=False)  # hashing is slow, so it comes before the lock
        with transaction.atomic():
            chosen.save(update_fields=["password"])
            update_session_auth_hash(self.request, chosen)
            withdrawn = ["factor_removal"] if removal.withdraw(self.request, chosen) else []
            _record_and_notify(self.request, chosen, Kind.PASSWORD_CHANGED, withdrawn=withdrawn)
        response = redirect(self.get_success_url())
        row = self.request.tokens.row
        by_factor = row is not None and factors_policy.MULTI_FACTOR in row.amr.split()
        known_browsers.remember(self.request, response, chosen, by_factor=by_factor)
        for sentence in (_("Password changed. We signed you out everywhere else."), *recovery.sentences(withdrawn)):
            messages.success(self.request, sentence)
        return response


@login_not_required
@anonymous_only
@require_safe
def change_password_url(request: HttpRequest) -> HttpResponse:
    """Redirect from where password managers look: https://w3c.github.io/webappsec-change-password-url/."""
    return redirect("password_change")


class PasswordReset(auth_views.PasswordResetView):
    """Ask for the email of the account, and send a link to it."""

    template_name = "accounts/password_reset.html"
    form_class = PasswordResetForm

    def form_valid(self, form: auth_forms.PasswordResetForm) -> HttpResponse:
        """Enqueue the mail with one query, two inserts and one commit, whether or not the account exists.

        The token is made when the mail is sent.
        """
        account = throttle.account_key(form.cleaned_data["email"])
        if not throttle.allows(form, self.request, limits.RESET, account):
            return self.form_invalid(form)
        user = account if isinstance(account, User) else None
        with transaction.atomic():
            SecurityEvent.objects.record_attempt(self.request, user, Kind.RESET_ASKED)
            outbox.enqueue("password_reset", user if user and user.can_reset_password else None, self.request)
        return redirect(self.get_success_url())


class PasswordResetDone(auth_views.PasswordResetDoneView):
    """Show that a mail is on its way."""

    template_name = "accounts/password_reset_done.html"


@method_decorator(no_referrer, name="dispatch")
class PasswordResetConfirm(auth_views.PasswordResetConfirmView):
    """Let the reader of the mail choose a new password, without signing them in: they still have to enter it."""

    template_name = "accounts/password_reset_confirm.html"
    form_class = SetPasswordForm
    token_generator = reset_tokens

    def form_valid(self, form: SetPasswordForm) -> HttpResponse:
        if not throttle.allows(form, self.request, limits.MAIL_LINK):
            return self.form_invalid(form)
        if form.user.check_password(form.cleaned_data["new_password1"]):  # whoever the reset is to keep out may know it
            form.refuse_current()
            return self.form_invalid(form)
        chosen = form.save(commit=False)  # hashing is slow, so it comes before the lock
        token = self.request.session.pop(INTERNAL_RESET_SESSION_TOKEN)
        has_factor = factors_policy.has_factor(chosen)
        withdrawn = self.reset(chosen, token)
        if withdrawn is None:
            self.validlink = False
            return self.render_to_response(self.get_context_data())
        for sentence in withdrawn:
            messages.success(self.request, sentence)
        response = redirect(self.get_success_url())
        if not has_factor:  # or each mail would buy more guesses at its codes
            known_browsers.remember(self.request, response, chosen)
        return response

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        """Say of a link that doesn't work whether it is too old, which it tells by itself: nothing is looked up."""
        token = self.kwargs["token"]
        if token == self.reset_url_token:
            token = self.request.session.get(INTERNAL_RESET_SESSION_TOKEN, "")
        return super().get_context_data(
            dead=None if self.validlink else _dead_reset(reset_tokens.is_expired(token)), **kwargs
        )

    def reset(self, chosen: User, token: str) -> list[str] | None:
        """Set the password, and return a sentence for each request withdrawn with it, or None if the token was used.

        The token is checked again once the user is locked: of two requests that use it at once, only one sets a
        password. Every session ends with the old password. The link was in the mailbox, so it confirms the email as
        well, unless that is reserved for another account or whoever has a factor might be somebody else.
        """
        with transaction.atomic():
            user = User.objects.select_for_update().filter(pk=chosen.pk).first()
            if user is None or not self.token_generator.check_token(user, token):
                return None
            user.copy_password(chosen)
            user.save(update_fields=["password"])
            # A factor, which stays, may be that of a stranger who had signed up with the email of somebody else.
            if user.email_verified_at is None and not factors_policy.has_factor(user):
                with suppress(EmailTaken):
                    claim(user, user.email)
            withdrawn = recovery.withdraw_requests(self.request, user)
            withdrawn += removal.remove_other_providers(self.request, user)
            _record_and_notify(self.request, user, Kind.PASSWORD_RESET, withdrawn=withdrawn)
        return recovery.sentences(withdrawn)


class PasswordResetComplete(auth_views.PasswordResetCompleteView):
    """Show that the new password was set."""

    template_name = "accounts/password_reset_complete.html"


def _record_and_notify(request: HttpRequest, user: User, kind: SecurityEvent.Kind, **context: list[str]) -> None:
    """Record the event, and write to the user."""
    SecurityEvent.objects.record(request, user, kind)
    alerts.notify_all("password_changed", user, request, **context)


def _dead_reset(expired: bool) -> DeadLink:
    title, text = (
        (_("This link has expired"), _("For your safety, links only work for an hour. You can get a new one."))
        if expired
        else (
            _("This link doesn't work"),
            _(
                "You've used it before, your password has changed since, or part of it is missing. If you know your "
                "password, sign in. If not, get a new link."
            ),
        )
    )
    return DeadLink(title, text, _("Send me a new link"), "password_reset")

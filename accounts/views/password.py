from typing import Any

from django.contrib import messages
from django.contrib.auth import forms as auth_forms
from django.contrib.auth import views as auth_views
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from accounts import browsers, mails, throttle
from accounts.forms import PasswordChangeForm, PasswordForm
from accounts.letters import may_reset
from accounts.models import SecurityEvent, User
from tokens.decorators import guards_account

Kind = SecurityEvent.Kind


@method_decorator(guards_account, name="dispatch")
class PasswordChange(auth_views.PasswordChangeView):
    """This browser stays signed in, all others are out: `tokens` sees to both."""

    template_name = "accounts/password_change.html"
    form_class = PasswordChangeForm
    success_url = reverse_lazy("sessions")

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        response = super().form_valid(form)
        browsers.remember(self.request, response, form.user)
        _tell(self.request, form.user, Kind.PASSWORD_CHANGED)
        messages.success(self.request, _("Your password was changed. All other sessions were ended."))
        return response


class PasswordReset(auth_views.PasswordResetView):
    template_name = "accounts/password_reset.html"

    def form_valid(self, form: auth_forms.PasswordResetForm) -> HttpResponse:
        """One query, two rows and one commit, whoever it is. The token is made when the mail is."""
        address = form.cleaned_data["email"]
        user = User.objects.named(address).first()
        if not throttle.admits(form, self.request, throttle.RESET, user or address):
            return self.form_invalid(form)
        with transaction.atomic():
            SecurityEvent.objects.record(self.request, user, Kind.RESET_ASKED)
            mails.send("password_reset", user if user and may_reset(user) else None, self.request)
        return redirect(self.get_success_url())


class PasswordResetDone(auth_views.PasswordResetDoneView):
    template_name = "accounts/password_reset_done.html"


class PasswordResetConfirm(auth_views.PasswordResetConfirmView):
    """Never signs in: whoever reads the mail still has to type the new password."""

    template_name = "accounts/password_reset_confirm.html"
    form_class = PasswordForm

    def form_valid(self, form: PasswordForm) -> HttpResponse:
        response = super().form_valid(form)
        browsers.remember(self.request, response, form.user)
        _tell(self.request, form.user, Kind.PASSWORD_RESET)
        return response


class PasswordResetComplete(auth_views.PasswordResetCompleteView):
    template_name = "accounts/password_reset_complete.html"


def _tell(request: HttpRequest, user: User, kind: SecurityEvent.Kind) -> None:
    SecurityEvent.objects.record(request, user, kind)
    mails.send("password_changed", user, request)

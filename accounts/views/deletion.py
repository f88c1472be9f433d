"""Delete an account, or keep it after all."""

from django.contrib import messages
from django.contrib.auth import logout
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.account import deletion
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request
from tokens.decorators import fresh_session_required


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def delete(request: Request) -> HttpResponse:
    """Explain what deletion means, and schedule it."""
    if request.method != "POST":
        return _page(request, is_last=deletion.is_last_superuser(request.user))
    try:
        with transaction.atomic():
            deletion_due_at = deletion.schedule(request, request.user)
            logout(request)
    except deletion.LastSuperuser:
        return _page(request, is_last=True)
    messages.success(
        request,
        _(
            "You're signed out, and we'll delete your account on %(day)s. Changed your mind? Sign in "
            "before then to keep it."
        )
        % {"day": date_format(timezone.localtime(deletion_due_at), "DATE_FORMAT")},
    )
    return redirect("login")


@fresh_session_required
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: Request) -> HttpResponse:
    """Ask a user who signs in during the grace period whether to keep the account."""
    if request.user.deletion_due_at is None:
        return redirect("home")
    if request.method != "POST":
        return render(request, "accounts/deletion_cancel.html")
    if deletion.cancel(request, request.user):
        messages.success(request, _("You've kept your account. Good to have you back."))
    return redirect("home")


def _page(request: Request, *, is_last: bool) -> HttpResponse:
    """Render the page that explains what deletion means."""
    context = {
        "is_last": is_last,
        "grace": deletion.GRACE_PERIOD,
        "deletion_due_at": timezone.now() + deletion.GRACE_PERIOD,
    }
    return render(request, "accounts/delete.html", context)

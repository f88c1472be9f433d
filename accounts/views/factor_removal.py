"""Lead whoever has lost every second factor back in, after a time in which the owner of the account can object."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.factors import attempts, removal
from accounts.mails.outbox import masked_email
from accounts.models import FactorRemoval, User
from accounts.models.factors import REMOVAL_DELAY
from accounts.security import limits, throttle
from accounts.types import Request
from accounts.views.mail_links import DeadLink, link_page
from accounts.views.second_factor import over
from tokens.decorators import fresh_session_required


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def lost(request: Request) -> HttpResponse:
    """Explain the removal to whoever has just given their password, and send the link that starts it."""
    attempt = attempts.current(request)
    if attempt is None:
        return over(request)
    if request.method == "POST" and attempt.user.email_verified_at:
        throttle.hit(request, limits.FACTOR_REMOVAL, attempt.user)
        removal.ask(request, attempt.user)
        words = _("We sent an email to %(address)s. Follow the link in it within an hour.")
        messages.success(request, words % {"address": masked_email(attempt.user.email)})
        return redirect("second_factor")
    context = {
        "pending": removal.pending(attempt.user),
        "address": masked_email(attempt.user.email) if attempt.user.email_verified_at else "",
        "hours": REMOVAL_DELAY.total_seconds() // 3600,
    }
    return render(request, "accounts/factors/lost.html", context)


@fresh_session_required
@require_http_methods(["GET", "HEAD", "POST"])
def keep(request: Request) -> HttpResponse:
    """Let any session cancel the removal, by one click: who has one may have lost the factor that it began with.

    Where only the mails cancel it, say so.
    """
    pending = removal.pending(request.user)
    if pending is None:  # or it was carried out by this very sign-in: a new factor is set up there
        return redirect("security")
    if request.method != "POST":
        return render(request, "accounts/factors/keep.html", {"pending": pending})
    if removal.cancel(request, request.user):
        messages.success(request, _kept())
    return redirect("security")


def _kept() -> str:
    return _("Your second step stays. If you didn't ask to remove it, someone knows your password. Choose a new one.")


def _started_response(request: HttpRequest, started: FactorRemoval) -> HttpResponse:
    if started.only_mail_cancels:
        words = _("We'll remove your second step on %(day)s. Then you'll need to reset your password by email.")
    else:
        words = _("We'll remove your second step on %(day)s. Then your password is enough to sign in.")
    messages.success(request, words % {"day": date_format(timezone.localtime(started.due_at), "DATETIME_FORMAT")})
    return redirect("home" if request.user.is_authenticated else "login")


def _kept_response(request: HttpRequest, user: User) -> HttpResponse:
    messages.success(request, _kept())
    return redirect("security" if request.user.is_authenticated else "password_reset")


def _dead_start(found: FactorRemoval | None) -> DeadLink | None:
    if found and found.is_open:
        return None
    if found and found.due_at:
        title, text = _("You've used this link before"), _("We'll remove your second step when its time comes.")
    elif found:
        title = _("This link has expired")
        text = _("For your safety, links only work for an hour. Sign in again to get a new one.")
    else:
        title = _("This link doesn't work")
        text = _("Someone has cancelled the removal or changed the password, or part of the link is missing.")
    return DeadLink(title, text, _("Sign in"), "login")


def _dead_keep(found: FactorRemoval | None) -> DeadLink | None:
    if found and found.due_at:
        return None
    text = _("The removal was cancelled or is done, or part of the link is missing. Your activity shows which.")
    return DeadLink(_("There's nothing to cancel"), text, _("See your activity"), "activity")


start = link_page("factors_remove", removal.find_to_start, removal.start, _started_response, _dead_start)
keep_by_link = link_page(
    "factors_keep_by_link", removal.find_to_cancel, removal.cancel_by_link, _kept_response, _dead_keep
)

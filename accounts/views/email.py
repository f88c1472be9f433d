"""Confirm the email of an account, and change it."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.email import verification as email_verification
from accounts.email.ownership import EmailTaken
from accounts.factors import removal
from accounts.factors.forms import wrong_code
from accounts.forms import CodeForm, EmailForm
from accounts.mails.links import InvalidLink
from accounts.models import EmailVerification, Identity
from accounts.security import known_browsers, limits, throttle
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request
from accounts.views.mail_links import DeadLink, email_taken, link_page
from accounts.views.providers import FEDERATED
from tokens.decorators import fresh_session_required
from tokens.models import RefreshToken


@login_not_required  # Right after the sign-up the user is not signed in yet.
@fresh_session_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: Request) -> HttpResponse:
    """Ask for the code in the browser that requested it, or for another email, or send the mail again."""
    verification = email_verification.for_browser(request)
    if verification is None and (request.user.is_anonymous or request.user.email_verified_at):
        return _nothing_to_verify(request)
    refused = bool(verification and verification.refused_at)  # Whoever does not know yet is told rather than sent more.
    if "again" in request.POST and (request.POST["again"] or not refused) and _sent_again(request, verification):
        return redirect("email_verify")
    other = _correction(request)
    if other and other.is_valid() and throttle.allows(other, request, limits.RESEND, other.cleaned_data["email"]):
        return _corrected_response(request, other.cleaned_data["email"])
    form = CodeForm(request.POST if "code" in request.POST else None)
    if verification and form.is_valid() and (response := _by_code(request, verification, form, signs_in=bool(other))):
        return response
    context = {
        "form": form,
        "other": other,
        "verification": verification,
        "address": verification.email if verification else request.user.email,
        "refused": refused,
        "wait": _wait(request, verification),
    }
    return render(request, "accounts/email_verify.html", context)


@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: Request) -> HttpResponse:
    """Ask for another email, which replaces the present one once it is confirmed; until then it can be withdrawn."""
    if "withdraw" in request.POST:
        email_verification.withdraw_change(request, request.user)
        messages.success(request, _("Your email address stays the same."))
        return redirect("email_change")
    if removal.only_mail_cancels(request.user):
        return redirect("factors_keep")
    form = EmailForm(request.POST if request.method == "POST" else None, user=request.user)
    if not (form.is_valid() and throttle.allows(form, request, limits.RESEND, form.cleaned_data["email"])):
        pending = email_verification.pending_change(request.user)
        here = pending is not None and pending == email_verification.for_browser(request)
        return render(request, "accounts/email_change.html", {"form": form, "pending": pending, "here": here})
    email_verification.start(request, request.user, form.cleaned_data["email"])
    return redirect("email_verify")


def _nothing_to_verify(request: Request) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("home")
    if not email_verification.is_confirmed(request):
        return redirect_to_login(request.path)
    messages.success(request, _("Your email address is confirmed. Sign in to continue."))
    return redirect("login")


def _by_code(
    request: Request, verification: EmailVerification, form: CodeForm, *, signs_in: bool
) -> HttpResponse | None:
    """Confirm the email by the code in `form`, and return the response; None if that fails, and the form says why."""
    if not throttle.allows(form, request, limits.CODE, verification.email):
        return None
    try:
        confirmed = email_verification.confirm_by_code(request, form.cleaned_data["code"])
    except InvalidLink:
        form.add_error("code", _code_error(request))
        return None
    except EmailTaken:
        return email_taken(request)
    throttle.reset(request, limits.CODE, verification.email)
    return (_signed_in_response if signs_in else _confirmed_response)(request, confirmed)


def _sent_again(request: Request, verification: EmailVerification | None) -> bool:
    """Send the same mail again to the same recipient, or this browser's first one; return whether it may have one."""
    email = verification.email if verification else request.user.email
    if not _wait(request, verification):
        try:
            throttle.hit(request, limits.RESEND, email)
        except throttle.Throttled as throttled:
            messages.error(request, throttled.sentence)
            return False
        email_verification.start(request, verification.user if verification else request.user, email)
    messages.success(request, _("We sent an email to %(address)s.") % {"address": email})
    return True


def _wait(request: Request, verification: EmailVerification | None) -> int:
    """Return for how many seconds nothing is sent, since nobody has had time to find the mail unless it was refused."""
    return email_verification.seconds_to_resend(request) if verification and not verification.refused_at else 0


def _correction(request: Request) -> EmailForm | None:
    """Return the form for another email, if the account of this browser can still have one without a password."""
    user = email_verification.correctable(request)
    return EmailForm(request.POST if "email" in request.POST else None, user=user) if user else None


def _corrected_response(request: Request, email: str) -> HttpResponse:
    try:
        email_verification.correct(request, email)
    except InvalidLink:  # It was confirmed, or signed in to, this very moment.
        return redirect("login")
    messages.success(request, _("We sent an email to %(address)s.") % {"address": email})
    return redirect("email_verify")


def _code_error(request: HttpRequest) -> str:
    """Return what is wrong with a code, in words that are the same whether or not its mail was sent."""
    verification = email_verification.for_browser(request)
    left = verification.tries_left if verification else 0
    if email_verification.is_code_too_old(request):
        return _("This code has expired. Get a new one below.")
    if not left:
        return _("You've entered too many wrong codes, so this one no longer works. Get a new one below.")
    return wrong_code(left)


def _signed_in_response(request: Request, verification: EmailVerification) -> HttpResponse:
    """Sign in whoever has signed up in this browser, by a password or a provider, since the mailbox is theirs as well.

    A link proves the mailbox alone, so it signs nobody in: the password may be that of a stranger who signed up with
    somebody else's email.
    """
    if verification.user.has_usable_password():
        request.tokens.method, request.tokens.amr = RefreshToken.Method.PASSWORD, ("pwd",)
    elif identity := Identity.objects.filter(user=verification.user).first():
        request.tokens.method, request.tokens.amr = identity.provider, (FEDERATED,)
    login(request, verification.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    response = _confirmed_response(request, verification)
    if request.user.is_authenticated:
        known_browsers.remember(request, response, verification.user)
    return response


def _confirmed_response(request: HttpRequest, verification: EmailVerification) -> HttpResponse:
    words = (
        _("Your email address is now %(address)s.")
        if verification.previous_email
        else _("Thanks, you've confirmed %(address)s.")
    )
    messages.success(request, words % {"address": verification.email})
    return redirect("home" if request.user.is_authenticated else "login")


def _undone_response(request: HttpRequest, undone: email_verification.Undone) -> HttpResponse:
    words = _(
        "%(address)s is your email address again. We signed everyone out, and your old password no "
        "longer works. Use the link we just sent you to choose a new one."
    )
    messages.success(request, words % {"address": undone.email})
    for sentence in undone.withdrawn:
        messages.success(request, sentence)
    return redirect("password_reset_done")


def _dead_confirmation(verification: EmailVerification | None) -> DeadLink | None:
    if verification and verification.is_open:
        return None
    if verification and verification.is_in_effect:
        text = _("You've used this link before, and there's nothing left to do.")
        return DeadLink(_("Your email address is confirmed"), text, _("Continue"), "home")
    if verification and not verification.confirmed_at:
        title, text = (
            _("This link has expired"),
            _("For your safety, links only work for an hour. You can get a new one."),
        )
    else:
        title = _("This link doesn't work")
        text = _(
            "There's a newer one, or part of it is missing. Open the link in the latest email from us, or get "
            "a new one."
        )
    return DeadLink(title, text, _("Send me a new link"), "email_verify")


def _dead_undo(verification: EmailVerification | None) -> DeadLink | None:
    if verification and verification.is_undoable:
        return None
    if verification and verification.undone_at:
        title = _("You've already restored your email address")
        text = _("There's nothing left to do here. If you can't sign in yet, choose a new password.")
    elif verification:
        title = _("This link has expired")
        text = _("You can undo a change for seven days. If you can't sign in, choose a new password.")
    else:
        title = _("This link doesn't work")
        text = _(
            "Part of it is missing. Open it from the email again, or copy all of it. If you can't sign in, choose a "
            "new password."
        )
    return DeadLink(title, text, _("Choose a new password"), "password_reset")


confirm = link_page(
    "email_confirm",
    email_verification.find_by_link,
    email_verification.confirm_by_link,
    _confirmed_response,
    _dead_confirmation,
)
undo = link_page(
    "email_undo", email_verification.find_change, email_verification.undo_change, _undone_response, _dead_undo
)

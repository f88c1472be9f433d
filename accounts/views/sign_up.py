"""Sign up."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.account.sign_up import UsernameTaken
from accounts.account.sign_up import sign_up as make_account
from accounts.forms import SignUpForm
from accounts.mails.links import InvalidLink
from accounts.providers import registry
from accounts.security import limits, throttle
from accounts.types import Request


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: Request) -> HttpResponse:
    """Create an account; the response is the same whether or not the email has one already."""
    if request.user.is_authenticated:
        return redirect("home")
    form = SignUpForm(request.POST or None)
    if form.is_valid() and throttle.allows(form, request, limits.SIGN_UP, form.cleaned_data["email"]):
        try:
            make_account(request, form.save(commit=False), form.cleaned_data["password1"])
            return redirect("email_verify")
        except (UsernameTaken, InvalidLink):
            form.add_error("username", _("This user name is taken."))
    return render(request, "accounts/sign_up.html", {"form": form, "providers": registry.providers()})

"""Show users that a copy of their session was used, and take their answer."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View

from accounts.account import checkup
from accounts.security.next_url import next_url
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request
from tokens.decorators import fresh_session_required


@method_decorator(fresh_session_required, name="dispatch")
class CheckUp(View):
    """Say what happened and what to do; then go on to `next`, which the sign-in was for."""

    http_method_names = ("get", "head", "post")

    def get(self, request: Request) -> HttpResponse:
        if not request.user.reuse_unanswered:  # answered meanwhile: what happened stays in the activity
            return redirect(next_url(request, "activity"))
        context = {"finding": checkup.latest_finding(request.user), "later": next_url(request, "home")}
        return render(request, "accounts/checkup.html", context)

    @method_decorator(reauthentication_required)
    def post(self, request: Request) -> HttpResponse:
        """Believe the user that it was them. A copy of the cookies is not enough to say so."""
        if checkup.answer(request, request.user):
            messages.success(request, _("Thanks for checking. You'll find it in your activity if you need it again."))
        return redirect(next_url(request, "home"))

"""Show the front page, and choose the language."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from accounts.models import User
from accounts.security import sign_out_notices
from accounts.security.repeated_forms import repeatable
from accounts.types import Request


@login_not_required
@require_safe
def home(request: Request) -> HttpResponse:
    """Show visitors the way in, and users the way on."""
    if request.user.is_authenticated:
        return render(request, "home.html")
    return render(request, "welcome.html", {"notice": sign_out_notices.notice(request.tokens.ended)})


@repeatable
@login_not_required
@require_POST
def choose_language(request: Request) -> HttpResponse:
    """Set the language of this browser, by a cookie, and that of the user's mails; then go back to `next`."""
    language = request.POST.get("language", "")
    if language not in dict(settings.LANGUAGES):
        return redirect("home")
    if request.user.is_authenticated:
        User.objects.filter(pk=request.user.pk).update(language=language)
    return set_language(request)

"""Choose the language of pages and mails."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from accounts.models import User
from accounts.types import Request


@login_not_required
@require_POST
def choose(request: Request) -> HttpResponse:
    """Set the language of this browser, by a cookie, and that of the user's mails; then go back to `next`."""
    language = request.POST.get("language", "")
    if language not in dict(settings.LANGUAGES):
        return redirect("home")
    if request.user.is_authenticated:
        User.objects.filter(pk=request.user.pk).update(language=language)
    return set_language(request)

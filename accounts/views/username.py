from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.forms import UsernameForm
from accounts.mails import alerts
from accounts.models import SecurityEvent
from accounts.security import throttle
from accounts.security.reauthentication import reauthentication_required
from accounts.types import Request


@reauthentication_required
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: Request) -> HttpResponse:
    """Another user name; every browser's tokens say it from their next request on, which `tokens` sees to."""
    if request.method == "POST":
        throttle.hit(request, throttle.USERNAME, request.user)
    form = UsernameForm(request.POST if request.method == "POST" else None, user=request.user)
    if not form.is_valid() or not _change(request, form):
        return render(request, "accounts/username_change.html", {"form": form})
    messages.success(request, _("Your user name is %(name)s now.") % {"name": form.instance.username})
    return redirect("profile")


def _change(request: Request, form: UsernameForm) -> bool:
    """Whether the name was still free: the unique index decides."""
    try:
        with transaction.atomic():
            person = form.save()
            SecurityEvent.objects.record(request, person, SecurityEvent.Kind.USERNAME_CHANGED)
            alerts.notify_all("username_changed", person, request, before=request.user.username, after=person.username)
    except IntegrityError:
        form.add_error("username", _("This user name is taken."))
        return False
    return True

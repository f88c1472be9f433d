from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import mails, throttle
from accounts.forms import UserNameForm
from accounts.http import Request
from accounts.models import SecurityEvent
from accounts.proof import proved


@proved
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: Request) -> HttpResponse:
    """Another user name; every browser's tokens say it from their next request on, which `tokens` sees to."""
    if request.method == "POST":
        throttle.take(request, throttle.NAME, request.user)
    form = UserNameForm(request.POST if request.method == "POST" else None, user=request.user)
    if not form.is_valid() or not _change(request, form):
        return render(request, "accounts/username_change.html", {"form": form})
    messages.success(request, _("Your user name is %(name)s now.") % {"name": form.instance.username})
    return redirect("profile")


def _change(request: Request, form: UserNameForm) -> bool:
    """Whether the name was still free: the unique index decides."""
    try:
        with transaction.atomic():
            person = form.save()
            SecurityEvent.objects.record(request, person, SecurityEvent.Kind.NAME_CHANGED)
            mails.send("username_changed", person, request, before=request.user.username, after=person.username)
    except IntegrityError:
        form.add_error("username", _("This user name is taken."))
        return False
    return True

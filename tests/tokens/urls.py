"""Pages of no site, to see what the middleware makes of them."""

import time
from collections.abc import Callable

from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.cache import cache_control

from tokens.contrib.status_list import status_list
from tokens.decorators import anonymous_only, fresh_session_required, starts_or_ends_session
from tokens.models import RefreshToken
from tokens.views import jwks, metadata


@login_not_required
def who(request: HttpRequest) -> HttpResponse:
    """The visitor's name; costs no query."""
    return HttpResponse(request.user.get_username() or "nobody")


@login_not_required
async def who_async(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return HttpResponse(f"{user.get_username()} {user.email}" if user.is_authenticated else "nobody")


async def name_async(request: HttpRequest) -> HttpResponse:
    """What the token says, of whoever is signed in."""
    return HttpResponse(request.user.get_username())


@login_not_required
@fresh_session_required
def guarded(request: HttpRequest) -> HttpResponse:
    return who(request)


@fresh_session_required
def guarded_form(request: HttpRequest) -> HttpResponse:
    """What was sent to a page that guards the account."""
    files = "".join(file.read().decode() for file in request.FILES.values())
    return HttpResponse(f"{request.user.get_username()} {request.method} {request.POST.get('text', '')}{files}")


@fresh_session_required
def confirm(request: HttpRequest) -> HttpResponse:
    """Takes everybody's word for who they are."""
    if request.method == "POST":
        request.tokens.mark_reauthenticated()
    return HttpResponse(f"Are you {request.user.get_username()}?")


@login_not_required
def address(request: HttpRequest) -> HttpResponse:
    """Something of the person that no token says."""
    return HttpResponse(request.user.email if request.user.is_authenticated else "nobody")


@login_not_required
@starts_or_ends_session
def log_in(request: HttpRequest) -> HttpResponse:
    """Logs in whoever gives a name and a password. If asked to, looks before who is there, and fails afterwards."""
    if "look" in request.POST:
        str(request.user)
    user = auth.authenticate(request, username=request.POST["username"], password=request.POST["password"])
    if user is None:
        return HttpResponse("refused", status=401)
    request.tokens.remember = "remember" in request.POST
    request.tokens.method = RefreshToken.Method.PASSWORD
    auth.login(request, user)
    if "fail" in request.POST:
        raise RuntimeError("after the sign-in")
    if "store" in request.POST:
        request.session["basket"] = request.POST["store"]
    return HttpResponse(request.user.get_username() or "nobody")


@login_not_required
@starts_or_ends_session
def log_out(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponse("bye")


@login_not_required
def goodbye(request: HttpRequest) -> HttpResponse:
    """Ends the session, or all of them, and asks afterwards for something of the person that no token says."""
    person = request.user
    if "everywhere" in request.POST:
        RefreshToken.objects.revoke_for([person], RefreshToken.Reason.ENDED)
    else:
        auth.logout(request)
    return HttpResponse(person.email)


def change_password(request: HttpRequest) -> HttpResponse:
    """As Django's PasswordChangeView does it: the person is saved first, the session told afterwards."""
    request.user.set_password(request.POST["password"])
    request.user.save()
    auth.update_session_auth_hash(request, request.user)
    return HttpResponse("changed")


@login_not_required
@anonymous_only
def machine(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username() or "nobody")


@login_not_required
@cache_control(public=True, max_age=3600)
def shared(request: HttpRequest) -> HttpResponseBase:
    """A page for everybody, which may look who that is, or do so later."""
    if "look" in request.GET:
        return who(request)
    return StreamingHttpResponse(iter("abc")) if "stream" in request.GET else HttpResponse("the same for all")


@login_not_required
@cache_control(private=True, max_age=60)
def kept(request: HttpRequest) -> HttpResponse:
    return who(request)


@login_not_required
def slow(request: HttpRequest) -> HttpResponse:
    time.sleep(float(request.GET["seconds"]))
    return who(request)


WAITS: list[Callable[[], object]] = []


@login_not_required
def waits(request: HttpRequest) -> HttpResponse:
    """A page that does what the test has asked for, and takes that long."""
    for wait in WAITS:
        wait()
    return who(request)


@login_not_required
def ends_meanwhile(request: HttpRequest) -> HttpResponse:
    """Another process, of which this one has not heard yet, ends the session while the page is made."""
    RefreshToken.objects.filter(pk=request.tokens.session_id).update(revoked_at=Now(), changed_at=Now())
    return who(request)


@login_not_required
def changes_meanwhile(request: HttpRequest) -> HttpResponse:
    RefreshToken.objects.filter(pk=request.tokens.session_id).bump()
    return who(request)


@login_not_required
def basket(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.session.get("basket", "empty"))


@login_not_required
@starts_or_ends_session
@transaction.atomic
def rolls_back(request: HttpRequest) -> HttpResponse:
    """A sign-in, or a sign-out, inside a transaction that comes to nothing."""
    (log_in if request.POST else auth.logout)(request)
    transaction.set_rollback(True)
    return HttpResponse("rolled back", status=409)


@login_not_required
def boom(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("in the view")


@login_not_required
def active(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user.is_active))


def closed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user.get_username()} {request.method} {request.POST.get('text', '')}")


urlpatterns = [
    path("who/", who),
    path("who-async/", who_async),
    path("name-async/", name_async),
    path("guarded/", guarded),
    path("guarded-form/", guarded_form),
    path("confirm/", confirm, name="confirm"),
    path("address/", address),
    path("log-in/", log_in, name="login"),
    path("log-out/", log_out),
    path("goodbye/", goodbye),
    path("change-password/", change_password),
    path("machine/", machine),
    path("shared/", shared),
    path("kept/", kept),
    path("basket/", basket),
    path("slow/", slow),
    path("waits/", waits),
    path("ends-meanwhile/", ends_meanwhile),
    path("changes-meanwhile/", changes_meanwhile),
    path("rolls-back/", rolls_back),
    path("boom/", boom),
    path("active/", active),
    path("closed/", closed),
    path("jwks/", jwks),
    path("device-binding/", include("tokens.contrib.device_binding")),
    path(".well-known/openid-configuration", metadata),
    path(".well-known/status-list", status_list),
]


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse("nothing here", status=404)

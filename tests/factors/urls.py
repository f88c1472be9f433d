"""The site, beside packages that sign people in by views of their own."""

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, path

from accounts.models import User
from accounts.security.reauthentication import second_factor_required


@login_not_required
def log_in_bob(request: HttpRequest) -> HttpResponse:
    login(request, User.objects.get(username="bob"), settings.AUTHENTICATION_BACKENDS[0])
    return HttpResponseRedirect("/where/it/was/going/")


@login_not_required
def log_in_and_out(request: HttpRequest) -> HttpResponse:
    log_in_bob(request)
    logout(request)
    return HttpResponse("refused")


@login_not_required
def log_in_bob_then_alice(request: HttpRequest) -> HttpResponse:
    log_in_bob(request)
    login(request, User.objects.get(username="alice"), settings.AUTHENTICATION_BACKENDS[0])
    return HttpResponse("alice")


@login_not_required
def redirect_after_login(request: HttpRequest) -> HttpResponse:
    log_in_bob(request)
    return HttpResponseRedirect(request.GET["location"])


@login_not_required
def log_in_and_fail(request: HttpRequest, error: type[Exception]) -> HttpResponse:
    log_in_bob(request)
    raise error


@second_factor_required
def guarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("shown")


reset = PasswordResetConfirmView.as_view(
    success_url="/accounts/profile/",
    post_reset_login=True,
    post_reset_login_backend=settings.AUTHENTICATION_BACKENDS[0],
)

urlpatterns = [
    path("reset/<uidb64>/<token>/", reset),
    path("needs-a-second-factor/", guarded),
    path("/elsewhere.example/", guarded),
    path("log-in-bob/", log_in_bob),
    path("log-in-and-out/", log_in_and_out),
    path("log-in-bob-then-alice/", log_in_bob_then_alice),
    path("log-in-and-not-find/", log_in_and_fail, {"error": Http404}),
    path("log-in-and-miss-the-user/", log_in_and_fail, {"error": AssertionError}),
    path("log-in-and-fail/", log_in_and_fail, {"error": RuntimeError}),
    path("redirect-after-login/", redirect_after_login),
    path("hijack/", include("hijack.urls")),
    path("", include("project.urls")),
]

"""The site, with a page of all its parts, and one for each trouble that no address leads to by itself."""

from datetime import timedelta

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.utils import timezone

from tokens.core.exceptions import RevocationListUnavailable

TROUBLES = {400: BadRequest(), 500: RuntimeError(), 503: RevocationListUnavailable()}


class Sample(forms.Form):
    """A field of each kind; what it is filled in with is wrong."""

    prefix = "sample"

    name = forms.CharField(
        label="A line of text",
        help_text="What helps stands below the field.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    email = forms.EmailField(label="Something wrong", widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        label="A new password",
        help_text="With the eye and the hint on its length.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    code = forms.CharField(
        label="Digits from a mail",
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )


@login_not_required
def styleguide(request: HttpRequest) -> HttpResponse:
    form = Sample({"sample-name": "Carol", "sample-email": "carol@"})
    return render(request, "styleguide.html", {"sample": form, "earlier": timezone.now() - timedelta(hours=3)})


@login_not_required
def trouble(request: HttpRequest, status: int) -> HttpResponse:
    if "unproven" in request.GET:
        return render(request, "503.html", {"unproven": True, "form": True}, status=status)
    raise TROUBLES[status]


urlpatterns = [
    path("styleguide/", styleguide),
    path("trouble/<int:status>/", trouble),
    path("", include("project.urls")),
]

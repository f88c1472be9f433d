from datetime import timedelta

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe


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
@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every part of which pages are made, on one page, for those who make pages: only while DEBUG."""
    if not settings.DEBUG:
        raise Http404
    form = Sample({"sample-name": "Carol", "sample-email": "carol@"})
    return render(request, "styleguide.html", {"sample": form, "lately": timezone.now() - timedelta(hours=3)})

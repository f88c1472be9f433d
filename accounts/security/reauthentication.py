"""Is it still the same person? Before what could harm an account, its password is asked for once more.

The row of a sign-in says when its person last showed who they are: at the log-in, and at each proof since. To be active
is no proof, and a silent refresh is none.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import TypeVar, cast

from django import forms
from django.contrib.auth.hashers import check_password
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from accounts.models import SecurityEvent
from accounts.security import throttle
from accounts.security.validators import validate_password_length
from accounts.types import Request
from tokens.decorators import fresh_session_required
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind
View = TypeVar("View", bound=Callable[..., HttpResponseBase])

REAUTHENTICATION_TIMEOUT = timedelta(
    minutes=10
)  # enough to finish what one came for, and little for who finds a screen unlocked


def reauthentication_required(view: View) -> View:
    """The view runs only within REAUTHENTICATION_TIMEOUT of the last proof. Until then a page that asks for the
    password stands in its place, at its address; the row is read (`fresh_session_required`).

    The page is a 200, like every form that is to be sent once more: at a 401 a browser may show a dialog of its own.
    Whoever was on the way to a page is sent there, and whoever had filled in a form finds it done: `request.POST` is as
    it was first sent. What is carried along meets Django's limits on forms as if it were typed. Two things are not
    carried: files, which would have to lie somewhere meanwhile, and passwords, which belong into no page. So a form
    with a password proves by it (`checked`), or its page is `proved` as well and asks before anything is typed.
    """

    @fresh_session_required
    @wraps(view)
    @sensitive_post_parameters()
    def asking(request: Request, *args: object, **kwargs: object) -> HttpResponseBase:
        form = ReauthenticationForm(request)
        if not _is_recent(request.tokens.row) and not form.is_valid():
            return _page(request, form)
        if form.is_bound:
            if form.data[form.add_prefix("method")] != "POST":
                return HttpResponseRedirect(escape_leading_slashes(request.get_full_path()), status=303)
            request.POST = _original_form(request, form)  # type: ignore[assignment]
        return view(request, *args, **kwargs)

    return cast(View, asking)


@sensitive_variables("password")
def reauthenticate(request: Request, password: str) -> str:
    """`password`, if it is that of who asks, whose row was read: then this sign-in has been proved just now.

    For forms: raises ValidationError if it is another, and Throttled, which is one, after too many of those. What was
    tried is in the history. Django's own method would hash a password anew when the hasher has changed, and so end this
    very sign-in.
    """
    throttle.hit(request, throttle.REAUTHENTICATION, request.user)
    row = request.tokens.row
    right = row is not None and check_password(password, request.user.password)
    kind = Kind.REAUTHENTICATED if right else Kind.REAUTHENTICATION_FAILED
    SecurityEvent.objects.record(request, request.user, kind, session_id=request.tokens.session_id)
    if row is None or not right:
        raise forms.ValidationError(_("This is not your password. Please try again."), code="password_incorrect")
    row.mark_authenticated()
    throttle.reset(request, throttle.REAUTHENTICATION, request.user)
    return password


class ReauthenticationForm(forms.Form):
    """The password, with another form in tow. Its own fields bear names that no other form has.

    `method` is that of the request that was interrupted.
    """

    prefix = "proof"

    method = forms.CharField(widget=forms.HiddenInput)
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        validators=[validate_password_length],
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )

    def __init__(self, request: Request) -> None:
        sent = all(self.add_prefix(name) in request.POST for name in self.base_fields)
        super().__init__(request.POST if sent else None, initial={"method": request.method})
        self.request = request

    def clean_password(self) -> str:
        return reauthenticate(self.request, self.cleaned_data["password"])


def _is_recent(row: RefreshToken | None) -> bool:
    return bool(row and row.authenticated_at and timezone.now() - row.authenticated_at <= REAUTHENTICATION_TIMEOUT)


def _page(request: Request, form: ReauthenticationForm) -> HttpResponse:
    fields = _original_form(request, form).lists()
    context = {
        "form": form,
        "carried": [(name, value) for name, values in fields if "password" not in name.lower() for value in values],
        "minutes": REAUTHENTICATION_TIMEOUT // timedelta(minutes=1),
    }
    return render(request, "accounts/reauthenticate.html", context)


def _original_form(request: Request, form: ReauthenticationForm) -> QueryDict:
    """The form that was on its way, without what belongs to the proof or shows where the page is from."""
    sent = request.POST.copy()
    for name in [name for name in sent if name.startswith(form.add_prefix("")) or name == "csrfmiddlewaretoken"]:
        del sent[name]
    sent._mutable = False
    return sent

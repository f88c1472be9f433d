"""List a user's sessions, name and end them."""

from collections.abc import Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from accounts.account import session_chart, sessions
from accounts.factors import trusted_browsers
from accounts.forms import SessionNameForm
from accounts.models import SecurityEvent, TrustedBrowser
from accounts.security.reauthentication import reauthentication_required
from accounts.templatetags.way_back import came_from
from accounts.types import Request
from tokens.decorators import fresh_session_required
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind
_PER_PAGE = 10  # With the chart and without compression, the page has to stay below 30 KB.
_ROWS = {str(number) for number in range(1, _PER_PAGE + 1)}


@fresh_session_required
@require_safe
def show(request: Request) -> HttpResponse:
    """List the sessions page by page, first the live ones, then those that have ended.

    `?name=ID` opens the form that names one, `?q=WORDS` searches. `?row=N` is where an action was chosen: the row that
    is there now has the focus, by the fragment of that URL.
    """
    live = sessions.live(request.user, current_id=request.tokens.session_id)
    ended = sessions.ended(request.user)
    query = request.GET.get("q", "").strip()
    found = [session for session in [*live, *ended] if not query or session.matches(query)]
    page = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "live": [session for session in page if session in live],
        "ended": [session for session in page if session in ended],
        "others": len(live) - 1,
        "chart": session_chart.draw(live, ended) if page.number == 1 and not query else None,
        "query": query,
        "place": _place(request, "q", "page"),
        "naming": request.GET.get("name", ""),
        "at": _row(request, page),
    }
    return render(request, "accounts/sessions.html", context)


@fresh_session_required
@require_http_methods(["GET", "HEAD", "POST"])
def end(request: Request, pk: UUID) -> HttpResponse:
    """End one of the user's sessions; ending the current one is signing out."""
    row = _get_own_session(request, pk)
    if row.pk != request.tokens.session_id:
        return _end_another(request, row)
    if request.method != "POST":
        return _render_confirmation(
            request, "session_end", session=sessions.Session(row, is_current=True), back=_list_url(request)
        )
    return _sign_out(request, _("You're signed out."))


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def end_others(request: Request) -> HttpResponse:
    """End all of the user's sessions but the current one."""
    if request.method != "POST":
        live = sessions.live(request.user, current_id=request.tokens.session_id)
        if others := [session for session in live if not session.is_current]:
            return _render_confirmation(request, "sessions_end_others", others=others)
        return _no_others(request)
    reason, current = RefreshToken.Reason.ENDED, request.tokens.session_id
    with transaction.atomic():
        count = RefreshToken.objects.revoke_for([request.user], reason, keeping=current)
        trusted_browsers.distrust(request.user, keeping=request)
        SecurityEvent.objects.record(request, request.user, Kind.OTHERS_ENDED)
    if not count:
        return _no_others(request)
    messages.success(
        request,
        ngettext("You signed out of %(n)d other session.", "You signed out of %(n)d other sessions.", count)
        % {"n": count},
    )
    return redirect("sessions")


@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required
def end_all(request: Request) -> HttpResponse:
    """End all of the user's sessions."""
    if request.method != "POST":
        return _render_confirmation(request, "sessions_end_all")
    with transaction.atomic():
        RefreshToken.objects.revoke_for([request.user], RefreshToken.Reason.ENDED)
        trusted_browsers.distrust(request.user)
        SecurityEvent.objects.record(request, request.user, Kind.ALL_ENDED)
        return _sign_out(request, _("You're signed out everywhere, including here."))


@fresh_session_required
@require_http_methods(["GET", "HEAD", "POST"])
def name(request: Request, pk: UUID) -> HttpResponse:
    """Name one of the user's sessions."""
    row = _get_own_session(request, pk)
    form = SessionNameForm(request.POST if request.method == "POST" else None, instance=row)
    if not form.is_valid():
        context = {"form": form, "session": sessions.Session(row), "back": _list_url(request)}
        return render(request, "accounts/session_name.html", context)
    form.save()
    messages.success(request, _("Name saved."))
    return redirect(_list_url(request))


def _get_own_session(request: Request, pk: UUID) -> RefreshToken:
    """Return the user's own session of this id. Another user's is a 404."""
    row: RefreshToken = get_object_or_404(RefreshToken.objects.for_user(request.user), pk=pk)
    return row


@reauthentication_required
def _end_another(request: Request, row: RefreshToken) -> HttpResponse:
    if request.method != "POST" and row.is_live:
        return _render_confirmation(request, "session_end", session=sessions.Session(row), back=_list_url(request))
    if request.method == "POST" and sessions.end(request, row):
        messages.success(request, _("You signed out of %(title)s.") % {"title": sessions.Session(row).title})
    else:
        messages.info(request, _("That session had already ended."))
    return redirect(_list_url(request))


def _no_others(request: Request) -> HttpResponse:
    messages.info(request, _("You aren't signed in anywhere else."))
    return redirect("sessions")


def _render_confirmation(request: Request, template: str, **context: object) -> HttpResponse:
    """Render the page that says what will happen, and whose button posts to its own URL."""
    back, trusted = came_from(request) or reverse("sessions"), TrustedBrowser.objects.trusted_by(request.user)
    return render(request, f"accounts/{template}.html", {"back": back, "trusted_browsers": trusted, **context})


def _place(request: Request, *names: str) -> str:
    """Return what the URL says of the place in the list: of the search, the page and the row, those of these names."""
    return urlencode({name: request.GET[name] for name in names if request.GET.get(name)})


def _row(request: Request, page: Sequence[sessions.Session]) -> sessions.Session | None:
    """Return the session at `?row=N` of the page, or the last one: it follows the one that was signed out of there."""
    row = request.GET.get("row", "")
    return page[min(int(row), len(page)) - 1] if row in _ROWS and len(page) else None


def _list_url(request: Request) -> str:
    """Return the list at the place that the link of one of its rows was on."""
    place = _place(request, "q", "page", "row")
    return reverse("sessions") + (f"?{place}#row" if place else "")


def _sign_out(request: Request, message: str) -> HttpResponse:
    """Sign out with a message."""
    logout(request)
    messages.success(request, message)
    return redirect("login")

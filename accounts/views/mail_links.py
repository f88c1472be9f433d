"""Build the pages that links in mails lead to, whose button acts: mail scanners follow links.

The token is a secret, so it leaves the address bar at the first GET, as on Django's own page for a new password, and
until then no other site learns the URL.
"""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, TypeVar, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.email.ownership import EmailTaken
from accounts.mails.links import InvalidLink

View = TypeVar("View", bound=Callable[..., HttpResponse])
Done = TypeVar("Done")
Found = TypeVar("Found")

TOKEN_IN_SESSION = "here"  # noqa: S105  (replaces the token in the URL)


class DeadLink(NamedTuple):
    """Hold what the page says in place of its form: what became of the link, and the page that leads on."""

    title: str
    text: str
    label: str
    url: str


def no_referrer(view: View) -> View:
    """Keep the URL from other sites while it contains the token.

    The pages themselves declare `same-origin` in their head: from a page without a referrer browsers send forms with
    `Origin: null`, which no CSRF check accepts.
    """

    @wraps(view)
    def silent(*args: object, **kwargs: object) -> HttpResponse:
        response = view(*args, **kwargs)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return cast(View, silent)


def link_page(
    name: str,
    find: Callable[[UUID, str], Found | None],
    act: Callable[[HttpRequest, UUID, str], Done],
    done: Callable[[HttpRequest, Done], HttpResponse],
    dead: Callable[[Found | None], DeadLink | None],
) -> Callable[..., HttpResponse]:
    """Return the view of the page `name`, open to everybody who has the link, signed in or not.

    `find` looks up what the link is for and changes nothing, `act` performs it (it raises InvalidLink or EmailTaken),
    and `done` returns the response then. The template accounts/<name>.html gets what was found as
    `verification`, and what is said of a link that is used or too old as `dead`.
    """

    def show(request: HttpRequest, found: Found | None) -> HttpResponse:
        return render(request, f"accounts/{name}.html", {"verification": found, "dead": dead(found)})

    @login_not_required
    @never_cache
    @no_referrer
    @require_http_methods(["GET", "HEAD", "POST"])
    def page(request: HttpRequest, key: UUID, token: str) -> HttpResponse:
        given = request.session.get(name, "") if token == TOKEN_IN_SESSION else token
        found = find(key, given)
        if found and token != TOKEN_IN_SESSION:
            request.session[name] = token
            return redirect(name, key=key, token=TOKEN_IN_SESSION)
        if found is None or request.method != "POST":
            return show(request, found)
        try:
            return done(request, act(request, key, given))
        except InvalidLink:  # It was used, or is too old.
            return show(request, find(key, given))
        except EmailTaken:
            return email_taken(request)

    return page


def email_taken(request: HttpRequest) -> HttpResponse:
    """Say that another account has the email by now."""
    messages.error(request, _("Another account now uses this email address, so we didn't change anything."))
    return redirect("home" if request.user.is_authenticated else "login")

"""What a view says of itself, for the middleware. On a class: `method_decorator(..., name="dispatch")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


def cookieless(view: View) -> View:
    """The view is for machines: it reads none of our cookies and sets none; its visitor is anonymous."""
    view.tokens_cookieless = True  # type: ignore[attr-defined]
    return view


def guards_account(view: View) -> View:
    """The view guards the account itself: the row is read on every request, so that an end counts at once."""
    view.tokens_guarded = True  # type: ignore[attr-defined]
    return view


def signs_in_or_out(view: View) -> View:
    """A POST to the view starts or ends a sign-in: tokens that come along are ended, and never judged.

    `request.user` is looked up when it is first asked for; an async view awaits `request.auser()`.
    """
    view.tokens_unjudged = True  # type: ignore[attr-defined]
    return view

"""Marks on views, for the middleware. On a class: `method_decorator(..., name="dispatch")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

View = TypeVar("View", bound=Callable[..., object])


def anonymous_only(view: View) -> View:
    """Mark a view for machines: it reads none of our cookies and sets none; its visitor is anonymous."""
    view.tokens_anonymous_only = True  # type: ignore[attr-defined]
    return view


def fresh_session_required(view: View) -> View:
    """Mark a view that guards the account: the row is read on every request, so an ended session is out at once."""
    view.tokens_fresh_session_required = True  # type: ignore[attr-defined]
    return view


def starts_or_ends_session(view: View) -> View:
    """Mark a view whose POST starts or ends a session: tokens that come along are ended, and never judged.

    `request.user` is loaded when it is first used; an async view awaits `request.auser()`.
    """
    view.tokens_starts_or_ends_session = True  # type: ignore[attr-defined]
    return view

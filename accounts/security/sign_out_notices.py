"""Explain on the sign-in page why a session has ended."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from tokens.conf import conf
from tokens.models import RefreshToken

Reason = RefreshToken.Reason


class Notice(NamedTuple):
    """Hold the words of an explanation, and whether it is a warning."""

    title: str | Promise
    text: str | Promise
    alarming: bool = False


_SIGNED_OUT = _("You've been signed out.")

# A stranger may be using the browser. The notice says why the session ended, and nothing about the account: a user who
# was deactivated or deleted reads the general text.
_NOTICES: dict[str, Notice] = {
    Reason.ENDED: Notice(_SIGNED_OUT, _("Someone signed this device out on your sessions page. Please sign in again.")),
    # After a change of the email was undone, the password is invalid and nobody has a new one yet.
    Reason.PASSWORD: Notice(
        _SIGNED_OUT,
        _("Your password has changed. Sign in with the new one. Don't have it? Choose “Forgot your password?” below."),
    ),
    Reason.FACTORS: Notice(
        _SIGNED_OUT, _("Your second step for signing in was added or removed. Please sign in again.")
    ),
    Reason.ADMIN: Notice(_SIGNED_OUT, _("An administrator signed you out. Please sign in again.")),
    Reason.EVICTED: Notice(
        _SIGNED_OUT,
        _("You had too many sessions, so we signed out the one you hadn't used for the longest time."),
    ),
    Reason.EXPIRED: Notice(_("Welcome back."), _("Your session has expired. Please sign in again.")),
}
# The sign-in leads to the page that says what happened and what to do. By TOKENS_REUSE_REVOKES:
_REUSED = {
    scope: Notice(
        _("We signed you out to keep your account safe."),
        format_lazy(
            "{} {}",
            text,
            _(
                "This can be harmless. Importing a browser profile, cloning a computer or using Safari's “Add "
                "to Dock” also makes a copy."
            ),
        ),
        alarming=True,
    )
    for scope, text in {
        "all": _(
            "Someone used a copy of your session, so we signed you out everywhere. Sign in to see what happened and "
            "what to do."
        ),
        "family": _(
            "Someone used a copy of this session, so we ended it. Sign in to see what happened and what to do."
        ),
    }.items()
}
_OTHER = Notice(_SIGNED_OUT, _("Please sign in again."))
# The session goes on in the browser that has its key; this one may hold a copy of its cookies.
UNPROVEN = Notice(
    _("Please sign in again."),
    _(
        "We couldn't verify that this is the device you signed in on. This can happen after you copy or move a browser "
        "profile to another computer."
    ),
)
_SILENT = {Reason.SIGNED_OUT, Reason.REPLACED}


def notice(reason: str | None) -> Notice | None:
    """Return what the sign-in page says to a browser whose session has ended for `reason`, or None."""
    if reason is None or reason in _SILENT:
        return None
    return _REUSED[conf.reuse_revokes] if reason == Reason.REUSED else _NOTICES.get(reason, _OTHER)

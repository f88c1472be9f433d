"""Explain on the sign-in page why a session has ended."""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from tokens.models import RefreshToken

Reason = RefreshToken.Reason


class Notice(NamedTuple):
    """Hold the words of an explanation, and whether it is a warning."""

    title: str | Promise
    text: str | Promise
    alarming: bool = False


_SIGNED_OUT = _("You were signed out.")

# A stranger may be using the browser. The notice says why the session ended, and nothing about the account: a user who
# was deactivated or deleted reads the general text.
_NOTICES: dict[str, Notice] = {
    Reason.REUSED: Notice(
        _("You were signed out for your safety."),
        format_lazy(
            "{} {}",
            _(
                "A copy of your sign-in was used somewhere else, so we ended it everywhere. "
                "Your activity page says more once you have signed in."
            ),
            _(
                "It can be harmless: importing a browser profile, cloning a computer or "
                "Safari’s “Add to Dock” also makes such a copy."  # noqa: RUF001
            ),
        ),
        alarming=True,
    ),
    Reason.ENDED: Notice(_SIGNED_OUT, _("This session was ended from the list of sessions. Please sign in again.")),
    # After a change of the email was undone, the password is invalid and nobody has a new one yet.
    Reason.PASSWORD: Notice(
        _SIGNED_OUT,
        _("The password was changed. Sign in with the new one; if you have none, ask for a link to one below."),
    ),
    Reason.ADMIN: Notice(_SIGNED_OUT, _("An administrator ended this session. Please sign in again.")),
    Reason.EVICTED: Notice(
        _SIGNED_OUT,
        _("There were too many sessions, and this one had been idle the longest."),
    ),
    Reason.EXPIRED: Notice(_("Welcome back."), _("Your sign-in has run out. Please sign in again.")),
}
_OTHER = Notice(_SIGNED_OUT, _("Please sign in again."))
_SILENT = {Reason.SIGNED_OUT, Reason.REPLACED}


def notice(reason: str | None) -> Notice | None:
    """Return what the sign-in page says to a browser whose session has ended for `reason`, or None."""
    if reason is None or reason in _SILENT:
        return None
    return _NOTICES.get(reason, _OTHER)

"""How a session was opened, and why it has ended."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Method(models.TextChoices):
    """How a session was opened."""

    PASSWORD = "password", _("with your password")
    API = "api", _("by a program, with your password")
    MOVED = "moved", _("by moving over an earlier sign-in")
    OTHER = "other", _("in another way")


class Reason(models.TextChoices):
    """Why a session has ended."""

    SIGNED_OUT = "signed_out", _("signed out")
    ENDED = "ended", _("ended from the list of sessions")
    REPLACED = "replaced", _("signed in again in the same browser")
    REUSED = "reused", _("a copy of a sign-in was used")
    PASSWORD = "password", _("the password was changed")
    DEACTIVATED = "deactivated", _("the account was closed")
    DELETED = "deleted", _("the account was deleted")
    EVICTED = "evicted", _("too many sessions")
    ADMIN = "admin", _("ended by an administrator")
    EXPIRED = "expired", _("not used for too long")  # never stored: the row's dates and its tokens say so


# Whoever ends a session for one of these reasons may mean one that is still to be taken over: it is on no list.
DISTRUSTING = {Reason.ENDED, Reason.ADMIN, Reason.REUSED, Reason.DEACTIVATED}

"""How a session was opened, and why it has ended."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Method(models.TextChoices):
    """How a session was opened."""

    PASSWORD = "password", _("with your password")
    PASSKEY = "passkey", _("with a passkey")
    API = "api", _("from an app, with your password")
    MOVED = "moved", _("by continuing an earlier session")
    OTHER = "other", _("in another way")


class Reason(models.TextChoices):
    """Why a session has ended."""

    SIGNED_OUT = "signed_out", _("signed out")
    ENDED = "ended", _("signed out from the sessions page")
    REPLACED = "replaced", _("signed in again in the same browser")
    REUSED = "reused", _("someone used a copy of a session")
    PASSWORD = "password", _("password changed")
    FACTORS = "factors", _("second step added or removed")
    DEACTIVATED = "deactivated", _("account closed")
    DELETED = "deleted", _("account deleted")
    EVICTED = "evicted", _("too many sessions")
    ADMIN = "admin", _("signed out by an administrator")
    EXPIRED = "expired", _("expired")  # never stored: the row's dates and its tokens say so


# Whoever ends a session for one of these reasons may mean one that is still to be taken over: it is on no list.
DISTRUSTING = {Reason.ENDED, Reason.FACTORS, Reason.ADMIN, Reason.REUSED, Reason.DEACTIVATED}

"""Withdraw what somebody else may have requested for an account, once its owner has recovered it.

Sessions, known browsers and unused links end with the password; what would outlive it is withdrawn here.
"""

from collections.abc import Iterable

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.account import deletion
from accounts.factors import removal
from accounts.models import EmailVerification, User

_SENTENCES = {
    "deletion": _("We cancelled the deletion of your account."),
    "email_change": _("We cancelled a pending change of your email address."),
    "factor_removal": _("We cancelled the removal of your second step."),
    "factors": _("We removed the second steps, recovery codes and trusted browsers that were added recently."),
    "providers": _("We removed the accounts elsewhere that could sign in to yours. You can add them again."),
    "username": _("You have your previous user name back."),
    "username_before": _(
        "Your user name changed shortly before your email address did. If that wasn't you, change it back once you're "
        "signed in."
    ),
}


def withdraw_requests(request: HttpRequest, user: User) -> list[str]:
    """Withdraw what was requested for `user`, who is locked, and return the names of what was withdrawn."""
    pending = EmailVerification.objects.filter(user=user).pending()
    changes = pending.exclude(previous_email="").exists()
    pending.delete()
    withdrawn = {
        "deletion": deletion.cancel(request, user),
        "email_change": changes,
        "factor_removal": removal.withdraw(request, user),
    }
    return [name for name, was_asked_for in withdrawn.items() if was_asked_for]


def sentences(withdrawn: Iterable[str]) -> list[str]:
    """Return a sentence for each name that `withdraw_requests` returned, for the page and the mail."""
    return [str(_SENTENCES[name]) for name in withdrawn]

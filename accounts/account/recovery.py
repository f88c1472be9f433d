"""Getting an account back undoes what somebody else may have asked for in its name.

Sessions, known browsers and links under way end with the password; what would outlive it is withdrawn here.
"""

from collections.abc import Iterable

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.account import deletion
from accounts.models import EmailVerification, User

_SENTENCES = {
    "deletion": _("Your account had been marked for deletion. It stays."),
    "email_change": _("A change of your e-mail address was waiting to be confirmed. It is cancelled."),
    "username": _("Your user name is the one from before again."),
}


def withdraw_requests(request: HttpRequest, user: User) -> list[str]:
    """Withdraw what was asked for in the name of `user`, who is locked; return the names of what there was."""
    pending = EmailVerification.objects.filter(user=user).pending()
    changes = pending.exclude(previous_email="").exists()
    pending.delete()
    withdrawn = {"deletion": deletion.cancel(request, user), "email_change": changes}
    return [name for name, was_asked_for in withdrawn.items() if was_asked_for]


def sentences(withdrawn: Iterable[str]) -> list[str]:
    """Say what was withdrawn, for the page and the mail."""
    return [str(_SENTENCES[name]) for name in withdrawn]

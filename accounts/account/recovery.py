"""Getting an account back undoes what somebody else may have asked for in its name.

Sessions, known browsers and links under way end with the password; what would outlive it is withdrawn here.
"""

from collections.abc import Mapping

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.account import deletion
from accounts.models import EmailVerification, User

_SENTENCES = {
    "deletion_withdrawn": _("Your account had been marked for deletion. It stays."),
    "email_change_withdrawn": _("A change of your e-mail address was waiting to be confirmed. It is cancelled."),
    "username_restored": _("Your user name is the one from before again."),
}


def withdraw_requests(request: HttpRequest, user: User) -> dict[str, bool]:
    """Withdraw what was asked for in the name of `user`, who is locked; return what there was (see `sentences`)."""
    pending = EmailVerification.objects.filter(user=user).pending()
    changes = pending.exclude(previous_email="").exists()
    pending.delete()
    return {"deletion_withdrawn": deletion.cancel(request, user), "email_change_withdrawn": changes}


def sentences(withdrawn: Mapping[str, object]) -> list[str]:
    """Say what was withdrawn, for the page and the mail."""
    return [str(sentence) for name, sentence in _SENTENCES.items() if withdrawn.get(name)]

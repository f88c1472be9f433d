"""Say who has a second factor, who needs one, and what counts as having shown one."""

from django.db.models import Exists, OuterRef

from accounts.models import User
from accounts.models.factors import Authenticator, Passkey

MULTI_FACTOR = "mfa"  # RFC 8176
TRUSTED = "rba"  # by RFC 8176 “risk-based”: the browser is one that its user trusts
SHOWN = frozenset({MULTI_FACTOR, TRUSTED})


def has_other_factor(passkey: Passkey) -> bool:
    """Return whether a user would have a second factor without `passkey`."""
    others = Passkey.objects.filter(user=passkey.user).exclude(pk=passkey.pk)
    return others.exists() or Authenticator.objects.filter(user=passkey.user).exists()


def has_factor(user: User) -> bool:
    """Return whether `user` has a second factor, in one query."""
    own = {"user": OuterRef("pk")}
    factors = Exists(Passkey.objects.filter(**own)) | Exists(Authenticator.objects.filter(**own))
    return User.objects.filter(factors, pk=user.pk).exists()

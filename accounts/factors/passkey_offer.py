"""Offer a passkey to users who sign in by a password, once.

It is a line on the front page, until the next page: they came for something else. Nothing is offered on the way to
another page, in a browser that can make none, or before what comes first.

A browser that knows how (`mediation: "conditional"`) makes the passkey unasked, since its password manager has just
filled in the password. That is for users who have shown another factor: the first one changes what every sign-in takes
and ends the other sessions, and nobody should get it without knowing.
"""

from django.conf import settings
from django.contrib import messages
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.factors import passkeys, policy
from accounts.factors.challenges import Purpose
from accounts.models import FactorSettings, Passkey, User
from accounts.types import Request

TAG = "passkey-offer"  # of the message


def make(request: Request, url: str) -> None:
    """Offer a passkey to the user, who has just signed in to go to `url`, if they were never offered one."""
    user = request.user
    if url != resolve_url(settings.LOGIN_REDIRECT_URL) or not isinstance(user, User) or not user.email_verified_at:
        return
    if not Passkey.objects.filter(user=user).exists() and _is_first(user):
        words = _("Sign in with your fingerprint, your face or your screen lock, without a password.")
        messages.info(request, words, extra_tags=TAG)


def options(request: Request) -> str:
    """Return the options by which the browser may make the passkey unasked; "" if it is not to."""
    claims = request.tokens.claims
    may_have_it = claims and policy.MULTI_FACTOR in claims.amr
    return passkeys.creation_options(request, Purpose.CONDITIONAL_REGISTRATION) if may_have_it else ""


def _is_first(user: User) -> bool:
    FactorSettings.objects.get_or_create(user=user)
    return bool(
        FactorSettings.objects.filter(user=user, passkey_offered_at=None).update(passkey_offered_at=timezone.now())
    )

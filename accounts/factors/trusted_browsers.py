"""Spare users the second factor for thirty days in the browsers that they trust."""

from secrets import token_urlsafe

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from accounts.models import SecurityEvent, User
from accounts.models.factors import TRUST_LIFETIME, TrustedBrowser, digest
from accounts.security import cookies
from tokens import client


def is_trusted(request: HttpRequest, user: User) -> bool:
    """Return whether `user` trusts this browser, since they last changed their password, and note that it was used."""
    secret = request.COOKIES.get(settings.TRUST_COOKIE_NAME)
    if not secret:
        return False
    own = TrustedBrowser.objects.trusted_by(user).filter(key=digest(secret))
    return bool(own.update(last_used_at=timezone.now()))


def trust(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Trust this browser, in which `user` has just shown a second factor."""
    secret = token_urlsafe(32)
    with transaction.atomic():
        TrustedBrowser.objects.create(
            key=digest(secret),
            user=user,
            password_version=user.password_version,
            user_agent=client.user_agent(request),
            ip_address=client.ip_address(request),
            expires_at=timezone.now() + TRUST_LIFETIME,
        )
        SecurityEvent.objects.record(request, user, SecurityEvent.Kind.BROWSER_TRUSTED)
    cookies.write(response, settings.TRUST_COOKIE_NAME, secret, TRUST_LIFETIME)


def distrust(*people: User, keeping: HttpRequest | None = None) -> None:
    """Ask `people` for the second factor in all browsers again, except in that of `keeping`.

    To be called where all their sessions end: whoever holds one of the browsers may hold its password, too.
    """
    here = keeping.COOKIES.get(settings.TRUST_COOKIE_NAME, "") if keeping else ""
    TrustedBrowser.objects.filter(user__in=people).exclude(key=digest(here)).delete()

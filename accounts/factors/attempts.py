"""Hold a sign-in between the password and the second factor: nobody is signed in meanwhile.

The browser holds a random secret in a cookie of its own, an app gets it in the answer; the row keeps its digest.
"""

from secrets import token_urlsafe

from django.conf import settings
from django.contrib.auth import login
from django.http import HttpResponseBase

from accounts.factors import policy
from accounts.models import User
from accounts.models.factors import ATTEMPT_LIFETIME, Attempt, digest
from accounts.security import cookies
from accounts.types import Request
from tokens import bearer


def start(request: Request, user: User, *, next: str = "", is_app: bool = False) -> str:
    """Hold the sign-in of `user`, which `request` has begun, and return the secret that completes it.

    `next` survives, and so does a form that waits for the sign-in (`request.carried_form`).
    """
    forget(request)
    Attempt.objects.prune()
    secret = token_urlsafe(32)
    tokens = request.tokens
    Attempt.objects.create(
        key=digest(secret),
        user=user,
        password_version=user.password_version,
        method=tokens.method,
        amr=" ".join(tokens.amr),
        backend=getattr(user, "backend", "") or "",
        remember=tokens.remember,
        is_app=is_app,
        next=next,
        carried_form=getattr(request, "carried_form", ""),
    )
    return secret


def current(request: Request) -> Attempt | None:
    """Return the attempt of this browser, with its user, if it can still be completed."""
    return find(request.COOKIES.get(settings.ATTEMPT_COOKIE_NAME, ""), is_app=False)


def find(secret: str, *, is_app: bool) -> Attempt | None:
    """Return the attempt that `secret` completes, with its user, or None."""
    found = Attempt.objects.open().filter(key=digest(secret), is_app=is_app) if secret else Attempt.objects.none()
    attempt = found.select_related("user").first()
    return attempt if attempt and attempt.still_of(attempt.user) else None


def complete(request: Request, attempt: Attempt, *amr: str, acr: str = "") -> bool:
    """Sign in the user of `attempt`, who has just shown a second factor by `amr`; return whether it was still open."""
    if not Attempt.objects.filter(pk=attempt.pk).spend():
        return False
    tokens = request.tokens
    tokens.method, tokens.remember = attempt.method, attempt.remember
    tokens.amr, tokens.acr = _shown(attempt, amr), acr
    login(request, attempt.user, attempt.backend or settings.AUTHENTICATION_BACKENDS[0])
    return True


def complete_in_app(request: Request, attempt: Attempt, *amr: str) -> bearer.Pair | None:
    """Sign in the user of `attempt` like `complete`, and return the tokens; None if it was not open any more.

    Raise RevokedToken.
    """
    if not Attempt.objects.filter(pk=attempt.pk).spend():
        return None
    attempt.user.backend = attempt.backend  # type: ignore[attr-defined]  # as authenticate() has said
    return bearer.start(request, attempt.user, _shown(attempt, amr))


def forget(request: Request) -> None:
    """Delete the attempt of this browser: whoever comes next must not complete it."""
    if secret := request.COOKIES.get(settings.ATTEMPT_COOKIE_NAME):
        Attempt.objects.filter(key=digest(secret)).delete()


def set_cookie(response: HttpResponseBase, secret: str) -> None:
    """Give the browser the secret of its attempt."""
    cookies.write(response, settings.ATTEMPT_COOKIE_NAME, secret, ATTEMPT_LIFETIME)


def delete_cookie(response: HttpResponseBase) -> None:
    """Take the secret away again."""
    cookies.delete(response, settings.ATTEMPT_COOKIE_NAME)


def _shown(attempt: Attempt, amr: tuple[str, ...]) -> tuple[str, ...]:
    """Return all that was shown. That the browser is trusted says no more once the second factor was."""
    before = (each for each in attempt.amr.split() if each != policy.TRUSTED)
    return tuple(dict.fromkeys((*before, *amr, policy.MULTI_FACTOR)))

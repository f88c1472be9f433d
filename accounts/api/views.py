"""Define what the API does at each URL (urls.py). A client that signs in has a session like any other."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.views.decorators.debug import sensitive_variables

from accounts.account import sessions
from accounts.api.endpoint import (
    access_token_required,
    app_required,
    body,
    live_session_required,
    staff_required,
)
from accounts.api.problems import Problem, unauthorized
from accounts.email import policy as email_policy
from accounts.factors import attempts, codes, recovery_codes, removal, trusted_browsers
from accounts.factors import policy as factors_policy
from accounts.models import Authenticator, SecurityEvent, User
from accounts.models.factors import ATTEMPT_LIFETIME, Attempt
from accounts.security import limits, throttle
from accounts.types import Request
from tokens import bearer
from tokens.core.exceptions import RevokedToken, SignInHeld
from tokens.models import RefreshToken

Kind = SecurityEvent.Kind
Reason = RefreshToken.Reason


@sensitive_variables()
def login(request: Request) -> HttpResponse:
    """Sign in, and return a pair of tokens."""
    username, password = body(request, "username", "password")  # takes as long as the client likes, so it comes first
    throttle.wait_to_hash(request, limits.SIGN_IN)
    account = throttle.account_key(username)
    throttle.hit(request, limits.SIGN_IN, account, password)
    user = authenticate(request, username=username, password=password)
    if user is not None:
        removal.carry_out(user.pk)  # before it is asked whether they have what they have to have
        _check_may_sign_in(user)
        throttle.hit(request, limits.SIGNED_IN, user)
        throttle.reset(request, limits.SIGN_IN, account)
        try:
            return _pair(bearer.start(request, user, ("pwd",)))
        except SignInHeld:
            raise _second_factor_required(request, user) from None
        except RevokedToken:  # The user was deactivated at this very moment.
            pass
    if getattr(request, "account_closed", False):
        raise unauthorized(
            title="account_closed", description="This account is closed. To reopen it, contact an administrator."
        )
    raise unauthorized(description="The user name or password isn't right.")


def _check_may_sign_in(user: User) -> None:
    """Refuse a user who has to act on the site first. The password has been checked, so nobody else learns this."""
    if user.deletion_due_at is not None:
        raise unauthorized(
            title="deletion_pending",
            description="This account is scheduled for deletion. To keep it, sign in on the site.",
        )
    if factors_policy.must_enrol(user):
        raise unauthorized(
            title="second_factor_missing",
            description="This account needs a second factor. To set one up, sign in on the site.",
        )
    if not email_policy.can_sign_in(user):
        raise unauthorized(
            title="email_unconfirmed",
            description="This account's email address isn't confirmed yet. To confirm it, sign in on the site.",
        )


def _second_factor_required(request: Request, user: User) -> Problem:
    """Return what asks for a code, with the attempt that it completes."""
    has_app = Authenticator.objects.filter(user=user).exists()
    methods = {"otp": has_app, "recovery_code": recovery_codes.left(user) > 0}
    return unauthorized(
        title="second_factor_required",
        description="Send a code with this attempt to /auth/second-factor.",
        attempt=attempts.start(request, user, is_app=True),
        expires_in=int(ATTEMPT_LIFETIME.total_seconds()),
        methods=[method for method, usable in methods.items() if usable],
    )


@sensitive_variables()
def second_factor(request: Request) -> HttpResponse:
    """Complete a sign-in by a code, and return a pair of tokens. What cannot be a code costs no try."""
    secret, code = body(request, "attempt", "code")
    attempt = attempts.find(secret, is_app=True)
    if attempt is None:
        raise _attempt_over()
    _check_may_sign_in(attempt.user)
    if not codes.is_code(code):
        raise _wrong_code(attempt)
    codes.count(request, attempt.user, code)
    if not Attempt.objects.filter(pk=attempt.pk).use_try():
        raise _attempt_over()
    if not codes.spend(request, attempt.user, code):
        attempt.refresh_from_db(attempt._state.db, ["tries"])
        raise _wrong_code(attempt)
    try:
        pair = attempts.complete_in_app(request, attempt, codes.OTP)
    except RevokedToken:  # The user was deactivated at this very moment.
        pair = None
    if pair is None:
        raise _attempt_over()
    return _pair(pair)


def _wrong_code(attempt: Attempt) -> Problem:
    return unauthorized(title="wrong_code", description="The code isn't right.", tries_left=attempt.tries_left)


def _attempt_over() -> Problem:
    return unauthorized(
        title="attempt_over", description="This took too long, or too many codes were wrong. Please sign in again."
    )


def refresh(request: Request) -> HttpResponse:
    """Return a new pair of tokens for a refresh token."""
    return _pair(bearer.refresh(request))


def logout(request: Request) -> HttpResponse:
    """End the session of the request's token."""
    bearer.end(request)
    return HttpResponse(status=204)


@app_required
def logout_everywhere(request: Request) -> HttpResponse:
    """End all of the user's sessions."""
    with transaction.atomic():
        ended = RefreshToken.objects.revoke_for([request.user], Reason.ENDED)
        trusted_browsers.distrust(request.user)
        SecurityEvent.objects.record(request, request.user, Kind.ALL_ENDED)
    return JsonResponse({"ended": ended})


@access_token_required
def me(request: Request) -> HttpResponse:
    """Return the user."""
    user = request.user
    return JsonResponse(
        {
            "id": str(user.pk),
            "username": user.username,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "is_staff": user.is_staff,
        }
    )


@live_session_required
def list_sessions(request: Request) -> HttpResponse:
    """List the user's live sessions."""
    live = sessions.live(request.user, current_id=request.tokens.session_id)
    return JsonResponse({"sessions": [_session(session) for session in live]})


@app_required
def end_session(request: Request, pk: UUID) -> HttpResponse:
    """End one of the user's sessions."""
    row = RefreshToken.objects.for_user(request.user).filter(pk=pk).first()
    if row is None:
        raise Problem(404, "not_found", "You don't have a session with this ID.")
    sessions.end(request, row)
    return HttpResponse(status=204)


@staff_required
def dashboard(request: Request) -> HttpResponse:
    """Return figures for the staff."""
    return JsonResponse(
        {"users": User.objects.count(), "live_sessions": RefreshToken.objects.on_primary().live().count()}
    )


def public(request: Request) -> HttpResponse:
    """Return what anybody may read."""
    return JsonResponse({"name": settings.SITE_NAME, "message": "Anyone can read this."})


def not_found(request: Request, **kwargs: object) -> HttpResponse:
    """Refuse a URL that does not exist."""
    raise Problem(404, "not_found")


def _pair(pair: bearer.Pair) -> HttpResponse:
    """Return a pair of tokens as RFC 6749 §5.1 does, with the names of this API."""
    return JsonResponse(
        {
            "access_token": pair.access,
            "refresh_token": pair.refresh,
            "token_type": "bearer",
            "expires_in": pair.expires_in,
        },
        headers={"Pragma": "no-cache"},
    )


def _session(session: sessions.Session) -> dict[str, object]:
    row = session.row
    return {
        "id": str(row.pk),
        "name": row.name,
        "device": str(session.device),
        "ip_address": row.ip_address,
        "opened": row.method,
        "created_at": row.created_at.isoformat(),
        "last_used_at": row.last_used_at.isoformat(),
        "expires_at": row.expires_at.isoformat(),
        "current": session.is_current,
    }

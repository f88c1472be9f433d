"""Tokens for apps that sign in by the API of django-allauth (`allauth.headless`): its HEADLESS_TOKEN_STRATEGY.

With its own strategies an app is signed in by a Django session that stores so, and here none does. This one lets the
app's Django session name a row. The app is also given the row's access and refresh token, for views that take bearer
tokens; allauth's `tokens/refresh` exchanges them.

allauth's session token stays what it is, the key of a Django session: it does not rotate, and whoever can read that
table can use it.
"""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.headless.internal import sessionkit
from allauth.headless.tokens.strategies.sessions import SessionTokenStrategy
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .. import bearer, issuing
from ..core.exceptions import RevokedToken, TokenError
from ..models import RefreshToken
from ..session import RequestSession, show_sign_in

ROW = "_tokens_row"  # the key in an app's Django session that says which row it is of


class TokenStrategy(SessionTokenStrategy):  # type: ignore[misc]
    """Give the `app` clients of `allauth.headless` tokens of their own session (HEADLESS_TOKEN_STRATEGY)."""

    request: Any = None  # whose view asks; none where only a person is looked up

    def get_session_token(self, request: Any) -> str | None:
        """Return the app's token; allauth asks before anything else, and from then on no cookie counts."""
        self.request = request
        if not request.tokens.bearer:
            request.tokens = _session_of_app()
            request.user = SimpleLazyObject(lambda: get_user(request))
        token: str | None = super().get_session_token(request)
        return token

    def create_session_token(self, request: Any) -> str:
        """Return a token of the Django session, which from now on names the row that was signed in to."""
        if claims := request.tokens.claims:
            request.session[ROW] = [claims.sid, claims.sub]
        token: str = super().create_session_token(request)
        return token

    def lookup_session(self, session_token: str) -> Any:
        """Return the app's Django session, which shows the sign-in of its row; None if that has ended."""
        session = sessionkit.lookup_session(session_token)
        if session is None or ROW not in session:
            return session
        try:
            row = RefreshToken.objects.get_live(*session[ROW])
        except RevokedToken:
            session.flush()
            return None
        request: Any = self.request or HttpRequest()
        request.session, request.tokens = session, _session_of_app()
        request.tokens.row = row
        request.tokens.claims = issuing.access_for(row, issuing.root_refresh(row), new=False)
        show_sign_in(request)
        return session

    def create_access_token_payload(self, request: Any) -> dict[str, Any] | None:
        """Return the pair of a session that this request has opened."""
        if request.tokens.outgoing is None:
            return None
        pair = bearer.pair(request.tokens)
        return {"access_token": pair.access, "refresh_token": pair.refresh, "expires_in": pair.expires_in}

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """Return a new access and refresh token; None if `refresh_token` is no good."""
        try:
            pair = bearer.exchange(context.request, refresh_token)
        except TokenError:
            return None
        return pair.access, pair.refresh


def _session_of_app() -> RequestSession:
    session = RequestSession.from_header()
    session.remember = session.asked = True  # an app has no browser that closes, and no cookie to be asked for
    return session

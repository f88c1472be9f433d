"""Bearer tokens for Django REST framework (RFC 6750): `authentication_classes = [TokenAuthentication]`.

INSTALLED_APPS need nothing for it. No cookie authenticates here; a view for programs alone is best marked
`tokens.decorators.anonymous_only` as well, so that none is even read.
"""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from .. import bearer
from ..core.exceptions import ExpiredToken, RevocationListUnavailable, TokenError
from ..middleware import OUTAGES
from ..session import RequestSession


class TokenAuthentication(BaseAuthentication):
    """`request.user` is the user of a good access token, without a query; `request.auth` is the RequestSession.

    A 401 says by its challenge whether to refresh, and nothing else.
    """

    www_authenticate_realm = "api"
    fresh = False

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, RequestSession] | None:
        """Return the user and their session; None without a bearer token, so that another class may find something.

        Raises AuthenticationFailed and Unavailable.
        """
        if request.headers.get("Authorization", "").partition(" ")[0].lower() != "bearer":
            return None
        plain = request._request  # what the middleware and bearer.resume() know
        try:
            return bearer.resume(plain, fresh=self.fresh), plain.tokens
        except (RevocationListUnavailable, *OUTAGES) as error:
            raise Unavailable from error
        except ExpiredToken as error:
            request.challenge = f', error="invalid_token", error_description="{bearer.EXPIRED}"'
            raise AuthenticationFailed(bearer.EXPIRED) from error
        except TokenError as error:
            request.challenge = ', error="invalid_token"'
            raise AuthenticationFailed("invalid_token") from error

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge, which says nothing else without credentials (RFC 6750 §3.1).

        Another instance than the one that authenticated is asked: what that one found is on the request.
        """
        return f'Bearer realm="{self.www_authenticate_realm}"' + getattr(request, "challenge", "")


class GuardedTokenAuthentication(TokenAuthentication):
    """The same, with the row read on every request: for views that guard the account itself."""

    fresh = True


class Unavailable(APIException):
    """Nobody can say who is asking: better no answer for a moment than a wrong one."""

    status_code = 503
    default_detail = "Please try again in a moment."
    default_code = "unavailable"
    wait = 5  # seconds, for Retry-After

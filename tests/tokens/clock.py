"""Time passes without a clock being touched: what was made before is made to have been made earlier."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F

from tokens import cookies, issuing, verification
from tokens.conf import conf
from tokens.core import jwt
from tokens.models import EndOfAll, RefreshToken

EXPIRED = 16 * 60  # seconds after which an access token is over, and a refresh token old enough to be confirmed
SETTLED = 3 * 60  # seconds after which a refresh token is old enough, and an access token still good


def elapse(seconds: float, *clients: Any) -> None:
    """Moves every row, and the tokens in the jars of `clients`, back by `seconds`."""
    gone, moved = timedelta(seconds=seconds), {}
    EndOfAll.objects.update(ended_at=F("ended_at") - gone)
    for row in RefreshToken.objects.all():
        before = issuing.reauth_value(row)
        if row.authenticated_at:
            row.authenticated_at -= gone
        moved[before] = issuing.reauth_value(row)
        RefreshToken.objects.filter(pk=row.pk).update(
            jti=_earlier(str(row.jti), seconds),
            created_at=F("created_at") - gone,
            last_used_at=F("last_used_at") - gone,
            authenticated_at=F("authenticated_at") - gone,
            expires_at=F("expires_at") - gone,
        )
    for client in clients:
        age(client, seconds)
        if (held := client.cookies.get(cookies.name_of("reauth"))) and held.value in moved:
            client.cookies[cookies.name_of("reauth")] = moved[held.value]


def age(client: Any, seconds: float) -> None:
    """Moves the tokens in the jar of `client` back, where no row has confirmed them."""
    ring, issuer = conf.key_ring, conf.issuer
    if token := jar(client).get("access"):
        claims = verification.verify_access(token)
        claims = replace(claims, rti=_earlier(claims.rti, seconds), **_times(claims, seconds))
        aged = jwt.write_access(claims, ring=ring, issuer=issuer, audience=conf.audience)
        client.cookies[cookies.name_of("access")] = aged
    if token := jar(client).get("refresh"):
        claims = verification.verify_refresh(token)
        claims = replace(claims, jti=_earlier(claims.jti, seconds), **_times(claims, seconds))
        client.cookies[cookies.name_of("refresh")] = jwt.write_refresh(claims, ring=ring, issuer=issuer)


def jar(client: Any) -> dict[str, str]:
    """The two tokens that `client` holds, as `access` and `refresh`; those that were deleted are not there."""
    names = {"access": cookies.name_of("access"), "refresh": cookies.name_of("refresh")}
    return {kind: client.cookies[name].value for kind, name in names.items() if client.cookies.get(name)}


def copy_of(client: Any) -> Any:
    """Another browser with a copy of the jar of `client`, as a thief has it."""
    thief = type(client)()
    thief.cookies.load({name: morsel.value for name, morsel in client.cookies.items()})
    return thief


def left_behind(client: Any, *others: Any, url: str = "/") -> Any:
    """Another browser with a copy of the jar of `client`, which then goes on without it; `others` age with them."""
    old = copy_of(client)
    for _ in range(2):
        elapse(EXPIRED, client, old, *others)
        client.get(url)
    return old


def _times(claims: Any, seconds: float) -> dict[str, int]:
    return {"iat": int(claims.iat - seconds), "exp": int(claims.exp - seconds)}


def _earlier(jti: str, seconds: float) -> str:
    return str(UUID(int=UUID(jti).int - (int(seconds * 1000) << 80)))

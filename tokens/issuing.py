"""What the tokens of a row say, and the cookies that carry them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import time
from uuid import uuid4

from django.http import HttpResponseBase

from . import cookies, jwts, rotation, users
from .conf import conf
from .jwts import AccessClaims, RefreshClaims
from .models import RefreshToken


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Tokens on their way to the browser; no `refresh` leaves the one that it has."""

    access: AccessClaims
    refresh: RefreshClaims | None
    made_at: float  # by the monotonic clock
    heard: object  # what the revocation list knew of the row before they were made


def first(row: RefreshToken) -> RefreshClaims:
    """The refresh token that a sign-in begins with. The row has it confirmed from the start."""
    return _refresh(row, row.generation, str(row.jti))


def child(row: RefreshToken, parent: RefreshClaims) -> RefreshClaims:
    """A successor of `parent`, one of several perhaps; nothing is written."""
    return _refresh(row, parent.gen + 1, rotation.new_jti(time()))


def access(row: RefreshToken, refresh: RefreshClaims, *, new: bool) -> AccessClaims:
    """The access token beside `refresh`; `new` while its generation is unconfirmed. It ends with the sign-in."""
    now = int(time())
    return AccessClaims(
        sub=refresh.sub,
        sid=refresh.sid,
        jti=str(uuid4()),
        rti=refresh.jti,
        gen=refresh.gen,
        ver=row.version,
        iat=now,
        exp=_until(row, now + conf.access_lifetime),
        new=new,
        idx=row.place,
        user=users.claims_of(row.user),
    )


def remade(claims: AccessClaims, row: RefreshToken) -> AccessClaims:
    """`claims` with what `row` says by now of the person and of itself; nothing rotates."""
    return replace(claims, ver=row.version, idx=row.place, user=users.claims_of(row.user))


def signed(outgoing: Outgoing) -> tuple[str, str | None]:
    """The access token, and the refresh token if there is a new one."""
    ring, issuer = conf.key_ring, conf.issuer
    access = jwts.write_access(outgoing.access, ring=ring, issuer=issuer, audience=conf.audience)
    return access, jwts.write_refresh(outgoing.refresh, ring=ring, issuer=issuer) if outgoing.refresh else None


def write(outgoing: Outgoing, response: HttpResponseBase) -> None:
    """Signs the tokens and sets their cookies on `response`."""
    access, refresh = signed(outgoing)
    max_age = outgoing.refresh.exp - int(time()) if outgoing.refresh and outgoing.refresh.kept else None
    cookies.write(response, access=access, refresh=refresh, max_age=max_age)


def _refresh(row: RefreshToken, generation: int, jti: str) -> RefreshClaims:
    now = int(time())
    exp = _until(row, now + conf.idle_lifetime)
    sub, sid = str(row.user_id), str(row.pk)
    return RefreshClaims(sub=sub, sid=sid, jti=jti, gen=generation, iat=now, exp=exp, kept=row.persistent)


def _until(row: RefreshToken, moment: float) -> int:
    """`moment`, or the absolute end of the sign-in if that comes first."""
    return int(min(moment, row.expires_at.timestamp()))

"""Issue the tokens of a row, and set the cookies that carry them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import time
from typing import Any
from uuid import uuid4

from django.http import HttpResponseBase
from django.utils.crypto import salted_hmac

from . import cookies, users
from .conf import conf
from .core import jwt, rotation
from .core.jwt import AccessClaims, RefreshClaims
from .models import RefreshToken


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Tokens on their way to the browser; without a `refresh` it keeps the one that it has.

    They leave once `confirms` is confirmed, the refresh token that they were made from.
    """

    access: AccessClaims
    refresh: RefreshClaims | None
    made_at: float  # by the monotonic clock
    confirms: RefreshClaims | None = None


def root_refresh(row: RefreshToken) -> RefreshClaims:
    """Return the refresh token that a session begins with. The row has it confirmed from the start."""
    return _refresh(row, row.generation, str(row.jti))


def next_refresh(row: RefreshToken, parent: RefreshClaims) -> RefreshClaims:
    """Return a child of `parent`, perhaps one of several; nothing is written."""
    return _refresh(row, parent.gen + 1, rotation.new_jti(time()))


def access_for(row: RefreshToken, refresh: RefreshClaims, *, new: bool, until: int | None = None) -> AccessClaims:
    """Return the access token beside `refresh`; `new` while its generation is unconfirmed.

    It expires no later than the session, and no later than `until` (Unix, seconds).
    """
    now = int(time())
    end = now + conf.access_lifetime
    return AccessClaims(
        sub=refresh.sub,
        sid=refresh.sid,
        jti=str(uuid4()),
        rti=refresh.jti,
        gen=refresh.gen,
        ver=row.version,
        iat=now,
        exp=_until(row, end if until is None else min(end, until)),
        new=new,
        **_told_by(row),
    )


def reissue(claims: AccessClaims, row: RefreshToken) -> AccessClaims:
    """Return `claims` with what `row` says by now of the user and of itself; nothing rotates."""
    return replace(claims, ver=row.version, **_told_by(row))


def signed(outgoing: Outgoing) -> tuple[str, str | None]:
    """Return the signed access token, and the refresh token if there is a new one."""
    ring, issuer = conf.key_ring, conf.issuer
    access = jwt.write_access(outgoing.access, ring=ring, issuer=issuer, audience=conf.audience)
    return access, jwt.write_refresh(outgoing.refresh, ring=ring, issuer=issuer) if outgoing.refresh else None


def write(outgoing: Outgoing, response: HttpResponseBase, *, within: float | None = None) -> None:
    """Sign the tokens and set their cookies on `response`; the access token ends `within` (seconds)."""
    if within is not None:  # the session may be bound next, and a copy of the jar must not outlive its first mark
        exp = min(outgoing.access.exp, int(time() + within))
        outgoing = replace(outgoing, access=replace(outgoing.access, exp=exp))
    access, refresh = signed(outgoing)
    max_age = outgoing.refresh.exp - int(time()) if outgoing.refresh and outgoing.refresh.remember else None
    cookies.write_tokens(response, access=access, refresh=refresh, max_age=max_age)


def reauth_value(row: RefreshToken) -> str:
    """Return what the browser holds in which the user of `row` last showed who they are, and no copy of an older jar.

    Each reauthentication makes another, so that no earlier copy is good with it.
    """
    about = f"{row.pk} {row.authenticated_at.timestamp() if row.authenticated_at else None}"
    return salted_hmac("tokens.reauth", about, algorithm="sha256").hexdigest()


def _told_by(row: RefreshToken) -> dict[str, Any]:
    """Return the claims that mirror the row and its user; OpenID Connect Core §2 defines the first three."""
    return {
        "auth_time": int(row.authenticated_at.timestamp()) if row.authenticated_at else None,
        "amr": tuple(row.amr.split()),
        "acr": row.acr,
        "idx": row.published_index,
        "partial": row.found_user is not row.user,
        "user": users.claims_of(row.live_user),
    }


def _refresh(row: RefreshToken, generation: int, jti: str) -> RefreshClaims:
    now = int(time())
    exp = _until(row, now + conf.idle_lifetime)
    sub, sid = str(row.user_id), str(row.pk)
    return RefreshClaims(sub=sub, sid=sid, jti=jti, gen=generation, iat=now, exp=exp, remember=row.remember)


def _until(row: RefreshToken, moment: float) -> int:
    """Return `moment`, or the absolute end of the session if that comes first."""
    return int(min(moment, row.expires_at.timestamp()))

"""The probe: a redirect that tells a late browser from an old copy of its jar.

A stale refresh token is not yet theft: under load a request may wait until its browser has long moved on. So the
browser is sent to the same URL again, with a cookie that remembers which token it came with. One whose jar holds
something newer comes back with that. One that comes back with the same token has nothing newer.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field

from django.core import signing
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.http import escape_leading_slashes

from . import cookies
from .conf import CookieKind

LIFETIME = 60  # seconds that a browser has to come back; a slower one is probed once more
SALT = "tokens.probe"


@dataclass(frozen=True, slots=True)
class Probe:
    """The stale refresh token that a browser was sent back with.

    `at` is when the site was told of it, which is how the site names what it made of that; empty if it was told before.
    """

    sid: str
    jti: str
    at: str = field(default="", compare=False)


def read(value: str) -> Probe | None:
    """Return the probe in a cookie, if it is ours and not too old."""
    try:
        return Probe(*signing.loads(value, salt=SALT, max_age=LIFETIME))
    except (signing.BadSignature, TypeError):
        return None


def write(response: HttpResponseBase, kind: CookieKind, probe: Probe) -> None:
    """Set this cookie, which a browser has LIFETIME to come back with."""
    cookies.write(response, kind, signing.dumps(astuple(probe), salt=SALT), LIFETIME)


def response(request: HttpRequest, probe: Probe) -> HttpResponseBase:
    """Return a redirect to the same URL once more, with method and body (RFC 9110 §15.4.8)."""
    redirect = HttpResponseRedirect(escape_leading_slashes(request.get_full_path()), preserve_request=True)
    write(redirect, "probe", probe)
    redirect.headers["Cache-Control"] = "private, no-store"
    return redirect

"""The Token Status List (draft-ietf-oauth-status-list): one signed list of bits says which sessions have ended.

A session has an index in the list, and its access tokens name it. A neighbour reads the list now and then, and neither
asks about each token nor tells anybody which tokens it was shown. The list stays small by what it leaves out: an ended
session is in it for as long as an access token could have outlived it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from time import time

from django.contrib.auth.decorators import login_not_required
from django.db.models import F
from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from ..conf import conf
from ..core.jwt import status_uri, write
from ..core.keys import KeyRing, base64url
from ..decorators import anonymous_only
from ..models import RefreshToken
from ..models.status_index import STATUS_MARGIN

STATUS_LIST = "statuslist+jwt"  # §5.1


@require_safe
@gzip_page  # the list is base64url twice over, and holds nothing that a visitor could guess at
@login_not_required
@anonymous_only
def status_list(request: HttpRequest) -> HttpResponse:
    """Return which sessions have ended (draft-ietf-oauth-status-list §8): the current list, in one media type.

    To be served at `core.jwt.STATUS_LIST`, the path that tokens name. 404 while TOKENS_STATUS_LIST is 0.
    """
    if not conf.status_list:
        raise Http404
    if "time" in request.GET:  # the list at another time (§8.4) is not kept
        return HttpResponse(status=501)
    lifetime = conf.access_lifetime
    token = write_status_list(
        ended_indexes(lifetime + STATUS_MARGIN),
        size=conf.status_list,
        now=time(),
        lifetime=lifetime,
        ring=conf.key_ring,
        issuer=conf.issuer,
    )
    response = HttpResponse(token, content_type="application/statuslist+jwt")
    response.headers["Access-Control-Allow-Origin"] = "*"
    patch_cache_control(response, public=True, max_age=time_to_live(lifetime))
    return response


def ended_indexes(seconds: float) -> Iterable[int]:
    """Return the indexes of the sessions that were ended within the last `seconds`."""
    since = Now() - timedelta(seconds=seconds)
    listed = RefreshToken.objects.on_primary().filter(status_index__lt=conf.status_list)
    by_change = listed.filter(changed_at__gt=since, revoked_at__isnull=False).values_list("status_index", flat=True)
    with_all = listed.filter(created_at__lte=F("all_ended_at"), all_ended_at__gt=since, expires_at__gt=since)
    indexes = by_change.union(with_all.values_list("status_index", flat=True), all=True)
    return (index for index in indexes.iterator() if index is not None)


def write_status_list(
    ended: Iterable[int], *, size: int, now: float, lifetime: float, ring: KeyRing, issuer: str
) -> str:
    """Return a JWT of `issuer` with a list of `size` bits, a multiple of 8, in which the indexes of `ended` are set.

    `lifetime` is that of access tokens in seconds. For that long the list may be used (`exp`) when nothing newer can be
    fetched, because all that it tells of has expired by then; a newer one is worth reading after `ttl` (§5.1, §13.7).
    """
    iat = int(now)
    payload = {
        "iss": issuer,
        "sub": status_uri(issuer),
        "iat": iat,
        "exp": iat + max(1, int(lifetime)),
        "ttl": time_to_live(lifetime),
        "status_list": {"bits": 1, "lst": compressed(packed(ended, size))},
    }
    return write(payload, STATUS_LIST, ring.current)


def time_to_live(lifetime: float) -> int:
    """Return for how many seconds nobody needs to read the list again: a fifteenth of an access token's lifetime."""
    return max(1, int(lifetime / 15))


def packed(indexes: Iterable[int], size: int) -> bytes:
    """Return `size` bits, in octets from their least significant bit on (§4.1), of which `indexes` are set."""
    octets = bytearray(size // 8)
    for index in indexes:
        octets[index // 8] |= 1 << index % 8
    return bytes(octets)


@lru_cache(maxsize=1)  # nine tenths of the work, and anybody may ask as often as they like
def compressed(octets: bytes) -> str:
    """Return the `lst` of a status list: DEFLATE in the ZLIB format, as small as it gets, in base64url (§4.1, §4.2)."""
    return base64url(zlib.compress(octets, level=9))

"""The revocation list kept in a cache that all processes share (TOKENS_REVOCATION_CACHE): no lag, for one round
trip with each signed-in request.

One key for each row that changed, and a sentinel, fetched together. A cache that was flushed has lost the sentinel
as well: until the keys are back, which takes one reading of the table, every request goes to its row. The cache must
drop nothing by itself (for Redis: `maxmemory-policy noeviction`).
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from uuid import uuid4

from django.core.cache import BaseCache, caches

from .conf import conf
from .exceptions import RevocationListUnavailable
from .revocation import OVERLAP, Read
from .signals import list_read

PREFIX = "tokens:changed:"
SENTINEL = "tokens:complete"
UNKNOWN = "unknown"  # what nobody can say is asked of the row


class SharedRevocationList:
    """The same questions as of `RevocationList`; an entry is a mark that is never the same for two changes."""

    def __init__(self) -> None:
        self._read_at = float("-inf")
        self._lag = float("inf")  # seconds without an answer, when it was last asked

    def entry(self, sid: str, read: Read) -> str | None:
        """The mark of the row `sid`, or None. If the cache has lost its keys they are made again from `read`.

        An unreachable cache counts as empty for TOKENS_REVOCATION_GRACE; then, RevocationListUnavailable.
        """
        try:
            found = self._cache.get_many([SENTINEL, PREFIX + sid])
            if SENTINEL not in found:
                self._restore(read)
                found[PREFIX + sid] = UNKNOWN
        except Exception as error:  # each cache has errors of its own
            lag = monotonic() - self._read_at
            self._tell(lag)
            if lag > conf.revocation_grace:
                raise RevocationListUnavailable("The cache of what has been revoked cannot be read.") from error
            return None
        self._read_at = monotonic()
        if self._lag:
            self._tell(0.0)
        mark: str | None = found.get(PREFIX + sid)
        return mark

    def known(self, sid: str) -> str | None:
        """The mark of the row `sid`, or None; None as well if the cache does not answer."""
        try:
            mark: str | None = self._cache.get(PREFIX + sid)
        except Exception:
            return None
        return mark

    def mark(self, ids: Iterable[object]) -> None:
        """Enters rows that are about to change, or have. Raises RevocationListUnavailable: then the change must fail,
        or the others would never hear of it."""
        marks = {f"{PREFIX}{sid}": uuid4().hex for sid in ids}
        try:
            failed = self._cache.set_many(marks, conf.access_lifetime + OVERLAP) if marks else []
        except Exception as error:
            raise RevocationListUnavailable("What is to be revoked cannot be written to its cache.") from error
        if failed:
            raise RevocationListUnavailable("What is to be revoked cannot be written to its cache.")

    def forget(self) -> None:
        """Starts anew, as a new process would."""
        self.__init__()  # type: ignore[misc]

    @property
    def _cache(self) -> BaseCache:
        return caches[conf.revocation_cache]

    def _tell(self, lag: float) -> None:
        self._lag = lag
        list_read.send_robust(SharedRevocationList, lag=lag)

    def _restore(self, read: Read) -> None:
        """Everybody who finds the sentinel gone may do this; a change that is made meanwhile enters itself."""
        self.mark(sid for sid, _ in read(2 * conf.access_lifetime))
        self._cache.set(SENTINEL, 1, None)

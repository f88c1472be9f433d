"""The file that holds the keys (TOKENS_KEYS): a JWK Set that running servers reload when it changes."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from time import monotonic

from .exceptions import InvalidKeys
from .keys import JwkSet, KeyRing, parse_jwks

CHECK_EVERY = 20  # seconds, so that a changed file is in use within a minute

logger = logging.getLogger("tokens")


class KeyFile:
    """The keys in a file, which is checked again every CHECK_EVERY seconds."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._ring: KeyRing | None = None
        self._seen: tuple[int, int, int] | None = None
        self._checked_at = float("-inf")

    def ring(self) -> KeyRing:
        """Return the current keys. If a file that was valid breaks or disappears, only the log changes.

        Raises InvalidKeys if the file has never been valid.
        """
        now = monotonic()
        if now - self._checked_at >= CHECK_EVERY or self._ring is None:
            self._checked_at = now
            self._reload()
        assert self._ring is not None  # noqa: S101  (or _reload() has raised)
        return self._ring

    def _reload(self) -> None:
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._ring, self._seen = parse_jwks(read(self._path)), seen
        except (InvalidKeys, OSError) as error:
            if self._ring is None:
                raise InvalidKeys(f"TOKENS_KEYS: {_cause(error)}") from error
            logger.error("The file of TOKENS_KEYS cannot be used; the last valid keys stay in use: %s", _cause(error))


@cache
def key_file(path: str) -> KeyFile:
    """Return the one KeyFile of this process for `path`."""
    return KeyFile(path)


def read(path: Path) -> JwkSet:
    """Return the decoded file. Raises OSError, or InvalidKeys if it is not JSON."""
    try:
        decoded: JwkSet = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise InvalidKeys("The file is not JSON.") from None
    return decoded


def write(path: Path, keys: JwkSet) -> None:
    """Replace the file with `keys`, completely or not at all, readable by its owner only. A link stays one.

    Raises InvalidKeys or OSError, and has changed nothing then.
    """
    parse_jwks(keys)
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(keys, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _cause(error: Exception) -> str:
    return str(error) if isinstance(error, InvalidKeys) else f"the file cannot be read ({type(error).__name__})."

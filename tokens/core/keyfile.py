"""The file with the keys (TOKENS_KEYS): a JWK Set that running servers take up again when it changes."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from functools import cache
from pathlib import Path
from time import monotonic

from . import jwks
from .exceptions import InvalidKeys
from .keys import KeyRing

LOOK_EVERY = 20  # seconds; a changed file is taken up within a minute, wherever in it the change falls

logger = logging.getLogger("tokens")


class KeyFile:
    """The keys in a file, looked at again every LOOK_EVERY seconds."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._ring: KeyRing | None = None
        self._seen: tuple[int, int, int] | None = None
        self._looked_at = float("-inf")

    def ring(self) -> KeyRing:
        """Today's keys. A file that was good and is broken or gone changes nothing but the log.

        Raises InvalidKeys if it has never been good.
        """
        now = monotonic()
        if now - self._looked_at >= LOOK_EVERY or self._ring is None:
            self._looked_at = now
            self._look()
        assert self._ring is not None  # noqa: S101  (or _look() has raised)
        return self._ring

    def _look(self) -> None:
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._ring, self._seen = jwks.ring(read(self._path)), seen
        except (InvalidKeys, OSError) as error:
            if self._ring is None:
                raise InvalidKeys(f"TOKENS_KEYS: {_cause(error)}") from error
            logger.error("The file of TOKENS_KEYS cannot be used, the last good keys stay: %s", _cause(error))


@cache
def key_file(path: str) -> KeyFile:
    """The one KeyFile of this process for `path`."""
    return KeyFile(path)


def read(path: Path) -> jwks.JwkSet:
    """The decoded file. Raises OSError, or InvalidKeys if it is no JSON."""
    try:
        decoded: jwks.JwkSet = json.loads(path.read_bytes())
    except ValueError:
        raise InvalidKeys("The file is no JSON.") from None
    return decoded


def write(path: Path, keys: jwks.JwkSet) -> None:
    """Puts `keys` in the place of the file, whole or not at all, for its owner's eyes only. Raises InvalidKeys or
    OSError, and has changed nothing then."""
    jwks.ring(keys)
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

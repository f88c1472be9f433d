"""Two PostgreSQLs that Patroni looks after, with etcd: Debian's programs, on free ports, gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL

from tests import postgres
from tests.resilience import database
from tests.smtp import wait_until

CONFIGURATION = """
scope: sojourn
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{host: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs: {{ttl: 5, loop_wait: 1, retry_timeout: 2, postgresql: {{use_pg_rewind: false}}}}
  initdb: [{{encoding: UTF8}}, {{auth: trust}}, no-sync]
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {folder}/data
  bin_dir: {binaries}
  pgpass: {folder}/pgpass
  authentication: {{superuser: {{username: postgres}}, replication: {{username: replicator}}}}
  parameters: {{unix_socket_directories: "{folder}"}}
"""


class Node:
    """A PostgreSQL and the Patroni that looks after it."""

    def __init__(self, folder: Path, name: str, etcd: int) -> None:
        self.folder, self.port = folder / name, free_port()
        self.folder.mkdir()
        if os.geteuid() == 0:
            os.chown(self.folder, *postgres.owner())
        about = {"name": name, "etcd": etcd, "rest": free_port(), "port": self.port, "folder": self.folder}
        binaries = postgres.find_binaries()
        (self.folder / "patroni.yml").write_text(CONFIGURATION.format(**about, binaries=binaries))
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        with (self.folder / "patroni.log").open("ab") as log:
            command = [*postgres.as_nobody(), "patroni", self.folder / "patroni.yml"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def recovers(self) -> bool | None:
        """Return whether it is a standby; None if it does not answer."""
        with suppress(Exception):
            [(standby,)] = database.execute(self.url, "SELECT pg_is_in_recovery()")
            return bool(standby)
        return None

    def kill(self) -> None:
        """kill -9 of both: as when the machine is gone."""
        with suppress(OSError):
            self.process.kill()
        self.process.wait()
        with suppress(OSError):
            os.kill(int((self.folder / "data/postmaster.pid").read_text().split()[0]), SIGKILL)


@contextmanager
def pair() -> Iterator[tuple[Node, Node]]:
    """A leader and its standby."""
    if not (shutil.which("patroni") and shutil.which("etcd")):
        postgres.give_up("No Patroni here: `apt install patroni etcd-server`.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sojourn-ha-", dir="/tmp")))
        client, peer = free_port(), free_port()
        etcd = subprocess.Popen(
            [
                *("etcd", "--data-dir", folder / "etcd", "--logger", "zap", "--log-level", "error"),
                *("--listen-client-urls", f"http://127.0.0.1:{client}"),
                *("--advertise-client-urls", f"http://127.0.0.1:{client}"),
                *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
                *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
                *("--initial-cluster", f"default=http://127.0.0.1:{peer}"),
            ],
        )
        stack.callback(etcd.wait)
        stack.callback(etcd.kill)
        nodes = [Node(folder, name, client) for name in ("one", "two")]
        for node, standby in zip(nodes, (False, True), strict=True):
            stack.callback(node.kill)
            node.start()
            wait_until(lambda node=node, standby=standby: node.recovers() is standby, seconds=120)
        yield nodes[0], nodes[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port

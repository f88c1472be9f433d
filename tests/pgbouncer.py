"""A real pgbouncer in transaction mode, with Debian's program: no service, no port, gone afterwards."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import postgres
from tests.resilience.server import ROOT
from tests.smtp import wait_until

# Two connections for everybody, so that one who keeps something in a connection meets others there.
CONFIGURATION = """
[databases]
* = host={server} user=postgres pool_size=2 {deadlines}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 5432
auth_type = any
pool_mode = transaction
logfile = {folder}/log
"""

[DEADLINES] = re.findall(r"connect_query='.+'", (ROOT / "docs/howto/databases.md").read_text())


@contextmanager
def pooling(server: Path) -> Iterator[str]:
    """Yield the URL of the server whose socket is in `server`, through a pgbouncer."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if not program:
        postgres.give_up("No pgbouncer here: `apt install pgbouncer`.")
    with tempfile.TemporaryDirectory(prefix="sojourn-pool-", dir="/tmp") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, *postgres.owner())
        (folder / "ini").write_text(CONFIGURATION.format(server=server, folder=folder, deadlines=DEADLINES))
        pooler = subprocess.Popen([*postgres.as_nobody(), program, "--quiet", folder / "ini"])
        try:
            wait_until((folder / ".s.PGSQL.5432").exists)
            yield postgres.url_of(folder)
        finally:
            pooler.terminate()
            pooler.wait(60)

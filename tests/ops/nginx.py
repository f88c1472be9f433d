"""ops/nginx/sojourn.conf as it is, with paths, ports and servers of a test's own."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.postgres import give_up
from tests.smtp import wait_until

SITE = Path(__file__).resolve().parent.parent.parent / "ops/nginx/sojourn.conf"

MAIN = """
{user}
daemon off;
pid {folder}/pid;
error_log stderr alert;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/sojourn.conf;
}}
"""


def program() -> str:
    """Return the path of nginx; skip where there is none."""
    found = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if found is None:
        give_up("No nginx here: `apt install nginx-light`.")
    return found


@contextmanager
def serving(folder: Path, servers: Sequence[str], certificate: Path | None = None) -> Iterator[tuple[int, int]]:
    """Run nginx as long as the block lasts. Yield its ports for http and https.

    `servers` are as in `server ...;` of an upstream, "127.0.0.1:8001" or "unix:/run/socket". `certificate` is a folder
    with fullchain.pem and privkey.pem; without it, the second port speaks plain http as well.
    """
    while True:  # a port may be gone before it is bound
        ports = http, https = free_ports(2)
        command = write(folder, servers, http=http, https=https, certificate=certificate)
        with (folder / "nginx.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda process=process, port=https: process.poll() is not None or listens(port))
            if process.poll() is None:
                yield ports
                return
            assert "Address already in use" in (folder / "nginx.log").read_text(), (folder / "nginx.log").read_text()
        finally:
            process.terminate()
            process.wait(timeout=60)


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def write(folder: Path, servers: Sequence[str], *, http: int, https: int, certificate: Path | None = None) -> list[str]:
    """Write what nginx needs into `folder`. Return the command that serves it until SIGTERM."""
    (folder / "sojourn.conf").write_text(render(folder, servers, http, https, certificate))
    user = "user root;" if folder.owner() == "root" else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    return [program(), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def free_ports(number: int) -> tuple[int, ...]:
    """Return so many ports of this machine that nobody listens at, each another."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return tuple(listener.getsockname()[1] for listener in listeners)


def render(folder: Path, servers: Sequence[str], http: int, https: int, certificate: Path | None) -> str:
    """Return the site's file with these in the place of its own; every place has to be found."""
    site = SITE.read_text()
    changes = [
        (r"server unix:/run/sojourn/socket;", " ".join(f"server {server};" for server in servers)),
        (r"listen \[::\]:\d+.*;\n", "\n"),
        (r"listen 80;", f"listen 127.0.0.1:{http};"),
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{https}{' ssl http2' if certificate else ''};"),
        (r"server_name example\.org;", "server_name localhost;"),
        (r"/var/log/nginx/", f"{folder}/"),
        (r"/etc/letsencrypt/live/example\.org/", f"{certificate}/"),
    ]
    if certificate is None:
        changes[-1] = (r"ssl_certificate.*;\n", "\n")
    for pattern, replacement in changes:
        site, found = re.subn(pattern, lambda _, text=replacement: text, site)
        assert found, pattern
    return site

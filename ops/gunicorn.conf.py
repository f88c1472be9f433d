"""gunicorn in production: `gunicorn --config ops/gunicorn.conf.py project.wsgi`; see docs/howto/deploy.md.

How many workers: WEB_CONCURRENCY, one unless it is set. Where to listen: the socket that systemd hands over, or --bind.
Nothing of the site is imported here: the master lives on when a SIGHUP has the workers load a new version.
"""

import os
from pathlib import Path
from typing import Any

worker_class = "gthread"
# However many people sign in at once, half of these are left to whoever opens a page (accounts/security/hashers.py).
# Up to 16 workers open no more connections than the 97 that PostgreSQL gives by default (project/sizing.py).
threads = max(4, 64 // max(1, int(os.environ.get("WEB_CONCURRENCY") or 1)))
timeout = 30  # seconds without a sign of life; then a worker is replaced
graceful_timeout = 35  # seconds for requests under way when a worker is to end: longer than nginx waits for one
loglevel = "info"
# nginx says which address asked and whether by TLS, and Django knows how many proxies to believe (TRUSTED_PROXIES).
forwarded_allow_ips = ""
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  (signs of life never wait for a disk)


def on_starting(server: Any) -> None:
    """Delete the counters of workers that are gone, which would be counted with those of today's."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for left in Path(folder).glob("*.db"):
            left.unlink()


def post_fork(server: Any, worker: Any) -> None:
    """Have workers write their log as the site does; the few lines of the master are plain text."""
    from project.startup import exit_if_misconfigured

    with exit_if_misconfigured():
        from project.server_log import ServerLog

        worker.log = ServerLog(worker.cfg)


def post_worker_init(worker: Any) -> None:
    from project.server import start_worker

    start_worker(worker)


def child_exit(server: Any, worker: Any) -> None:
    """Do as project.server.forget_worker, without the site."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)

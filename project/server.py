"""Run gunicorn, the production server, in this process, on sockets that are bound before anything else is done."""

import errno
import os
import signal
import socket
import sys

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from project import sizing
from project.server_log import ServerLog


def listen(port: int) -> list[socket.socket]:
    """Bind `port` on the loopback addresses, IPv4 and, if available, IPv6. Raise OSError."""
    listeners = [bind(socket.AF_INET, "127.0.0.1", port)]
    try:
        listeners.append(bind(socket.AF_INET6, "::1", port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:  # "localhost" may resolve to it, and another process get our visitors.
            listeners[0].close()
            raise
    return listeners


def bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """Return a socket that listens on `host` and `port`. Raise OSError."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def start_worker(worker: Worker) -> None:
    """Set up a worker that gunicorn has just started."""
    from accounts.mails import worker as mails_worker  # The site is loaded by now.
    from accounts.providers import client
    from accounts.security import hashers

    # Ctrl-C reaches the workers, too, which would wait for open connections while the master stops them at once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Who opens a page waits a millisecond at most for each busy thread, not Python's five. Nothing gets slower for it.
    sys.setswitchinterval(0.001)
    # The other threads answer everybody else, whatever a crowd or a provider does.
    hashers.queue.capacity = max(1, worker.cfg.threads // 2)
    client.at_once = max(1, worker.cfg.threads // 4)
    mails_worker.start()  # Mails that wait need not wait for the first visitor.


def forget_worker(server: object, worker: Worker) -> None:
    """Drop from /metrics what only a living worker can report; its counters stay."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead  # Importing it reads the environment.

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


class Server(BaseApplication):
    """Serve `project.wsgi` on bound sockets until SIGINT or SIGTERM; `run()` then exits with 0."""

    def __init__(self, listeners: list[socket.socket]) -> None:
        # Attempts to sign in are counted in the cache. If processes do not share it, there must be only one.
        workers = 1 if settings.CACHES["default"]["BACKEND"].endswith("LocMemCache") else 2
        # gunicorn closes the descriptors that it is given, so Python must not close them as well.
        self.options = {
            "bind": [f"fd://{listener.detach()}" for listener in listeners],
            "worker_class": "gthread",
            "workers": workers,
            "threads": sizing.threads(workers),
            "graceful_timeout": 2,
            "post_worker_init": start_worker,
            "loglevel": "warning",
            "logger_class": ServerLog,
            "child_exit": forget_worker,
            "control_socket_disable": True,
            # There is no proxy in front, so no header may claim that a request came by TLS.
            "forwarded_allow_ips": "",
        }
        super().__init__()

    def load_config(self) -> None:
        """Apply our options to gunicorn's configuration."""
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        """Return the application."""
        from project.wsgi import application

        return application

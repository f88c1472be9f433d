"""The production server, gunicorn, inside this process: on sockets that are bound before anything else is done."""

import errno
import os
import signal
import socket

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from gunicorn.app.base import BaseApplication
from gunicorn.workers.base import Worker

from project.server_log import ServerLog


def listen(port: int) -> list[socket.socket]:
    """Bind `port` on this machine's own addresses, IPv4 and, where there is one, IPv6. Raises OSError."""
    listeners = [bind(socket.AF_INET, "127.0.0.1", port)]
    try:
        listeners.append(bind(socket.AF_INET6, "::1", port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:  # "localhost" may mean this one: whoever has it would get our visitors
            listeners[0].close()
            raise
    return listeners


def bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def begin(worker: object) -> None:
    """Ctrl-C reaches the workers, too; they would wait for open connections while the master ends them at once. Mails
    that were left do not wait for the first visitor."""
    from accounts.mails import worker as mails_worker  # now that the site is loaded

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mails_worker.start()


def bury(server: object, worker: Worker) -> None:
    """What only a living worker can say, /metrics says no longer of this one. What it has counted stays."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead  # looks at once where to count, so not before

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


class Server(BaseApplication):
    """Serves `project.wsgi` on bound sockets until SIGINT or SIGTERM; `run()` then exits with 0."""

    def __init__(self, listeners: list[socket.socket]) -> None:
        # Attempts to sign in are counted in the cache: where it is a process's own, there has to be one process.
        workers = 1 if settings.CACHES["default"]["BACKEND"].endswith("LocMemCache") else 2
        # gunicorn closes the descriptors that it is given, so they must no longer be Python's to close.
        self.options = {
            "bind": [f"fd://{listener.detach()}" for listener in listeners],
            "worker_class": "gthread",
            "workers": workers,
            "threads": 64 // workers,  # as in ops/gunicorn.conf.py
            "graceful_timeout": 2,
            "post_worker_init": begin,
            "loglevel": "warning",
            "logger_class": ServerLog,
            "child_exit": bury,
            "control_socket_disable": True,
            # Nobody stands in front, so nobody may say that a request came by TLS.
            "forwarded_allow_ips": "",
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        return get_wsgi_application()

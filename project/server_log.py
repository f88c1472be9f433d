"""Log as gunicorn in the format of the site, including a line for each response if requested."""

import logging
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from project import logs, request_id


class ServerLog(Logger):
    """Format gunicorn's log (`logger_class`); its settings decide where it goes, and whether responses are logged."""

    def access(self, resp: Any, req: Any, environ: dict[str, object], request_time: timedelta) -> None:
        """Log a response by its route rather than its URL, whose path and query may hold secrets or personal data."""
        if not self.access_log_enabled:
            return
        request = request_id.current()
        match = request.resolver_match if request else None
        path = f"/{match.route}" if match else environ.get("PATH_INFO", "")
        about = {
            "kind": "answered",
            "method": environ.get("REQUEST_METHOD"),
            "path": path,
            "status": int(str(resp.status).partition(" ")[0]),
            "seconds": request_time.total_seconds(),
            "bytes": resp.sent,
        }
        self.access_log.info("%(method)s %(path)s %(status)s", about, extra=about)

    def _set_handler(
        self, log: logging.Logger, output: str | None, fmt: logging.Formatter, stream: object = None
    ) -> None:
        super()._set_handler(log, output, logs.formatter(logs.form_of_environment()), stream)

"""gunicorn's own log, in the form of the site's: what it has to say, and a line for each answer if that is wanted."""

import logging
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from project import logs, request_id


class ServerLog(Logger):
    """For `logger_class`; gunicorn's settings say where it goes, and whether answers are told (`accesslog`)."""

    def access(self, resp: Any, req: Any, environ: dict[str, object], request_time: timedelta) -> None:
        """By the route and never by the address, whose query and path may hold what is nobody's business."""
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

"""Serve the site by ASGI."""

import os
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connections

from project.deadlines import set_deadlines
from project.startup import exit_if_misconfigured, without_garbage_collection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

with exit_if_misconfigured(), without_garbage_collection():
    site = get_asgi_application()
    set_deadlines()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request from which a proxy has taken the path of the site: ASGI wants it there, WSGI doesn't.

    A server that was told its `root_path` has put it back.
    """
    if settings.FORCE_SCRIPT_NAME and scope["type"] == "http" and not scope.get("root_path"):
        scope = {**scope, "path": settings.FORCE_SCRIPT_NAME + scope["path"]}
    await site(scope, receive, send)


# A persistent connection belongs to its thread. Here each request may get a new thread, and connections would pile up.
for alias in connections:
    connections.settings[alias]["CONN_MAX_AGE"] = 0

"""Serve the site by ASGI."""

import os

from django.core.asgi import get_asgi_application
from django.db import connections

from project.deadlines import set_deadlines
from project.startup import exit_if_misconfigured, without_garbage_collection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

with exit_if_misconfigured(), without_garbage_collection():
    application = get_asgi_application()
    set_deadlines()

# A persistent connection belongs to its thread. Here each request may get a new thread, and connections would pile up.
for alias in connections:
    connections.settings[alias]["CONN_MAX_AGE"] = 0

"""Serve the site by WSGI."""

import os

from django.core.wsgi import get_wsgi_application

from project.deadlines import set_deadlines
from project.startup import exit_if_misconfigured, without_garbage_collection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

with exit_if_misconfigured(), without_garbage_collection():
    application = get_wsgi_application()
    set_deadlines()

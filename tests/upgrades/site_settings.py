"""The settings of a release, whichever it is, for pages without static files."""

from project.settings import *  # noqa: F403
from project.settings import STORAGES

STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}

"""The site's settings, from the environment as in production, with a log that tells each branch of the rule."""

from project.settings import *  # noqa: F403
from project.settings import LOGGING, STORAGES
from tests.resilience.server import URLS

LOGGING["loggers"]["tokens"]["level"] = "DEBUG"

ROOT_URLCONF = URLS
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]  # a form there has a file

# Pages are served without collecting files first.
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True

import os

from django.core.wsgi import get_wsgi_application

from project.refusal import refusing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

with refusing():
    application = get_wsgi_application()

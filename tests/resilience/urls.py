"""The pages that show what the middleware does, and a form with a file, which the site has not."""

import hashlib
import logging

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.urls import path

from project import health
from tests.tokens import urls

logger = logging.getLogger("uploads")

FORM = """<!doctype html><title>Upload</title>
<form method="post" enctype="multipart/form-data">
<input type="hidden" name="csrfmiddlewaretoken" value="{}">
<input name="text"><input type="file" name="file"><button>Send</button></form>"""


def upload(request: HttpRequest) -> HttpResponse:
    """Answers with the digest of what arrived; one line in the log for each time that it was processed."""
    if request.method != "POST":
        return HttpResponse(FORM.format(get_token(request)))
    digest = hashlib.sha256(request.FILES["file"].read()).hexdigest()
    logger.warning("An upload was processed.")
    return HttpResponse(f"{request.user.get_username()} {request.POST['text']} {digest}")


urlpatterns = [*urls.urlpatterns, path("upload/", upload), path("healthz", health.alive)]
handler404 = urls.handler404

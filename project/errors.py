"""Render the page for unexpected errors."""

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader


def server_error(request: HttpRequest) -> HttpResponse:
    """Return Django's page for a 500, with the id of the request, by which a user can refer to a line in the log.

    It uses nothing else of the request, which may itself be broken.
    """
    return HttpResponseServerError(loader.render_to_string("500.html", {"request_id": getattr(request, "id", "")}))

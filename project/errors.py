"""What people see when something broke."""

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template import loader


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's, with the id of the request: so people can say which line of the log is theirs. It needs nothing else
    of the request, which may be what is broken."""
    return HttpResponseServerError(loader.render_to_string("500.html", {"request_id": getattr(request, "id", "")}))

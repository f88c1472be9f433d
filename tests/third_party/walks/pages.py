"""Views of the projects."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"<body>{request.user.get_username() or 'nobody'}</body>")


@login_required
def closed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user.get_username()} {request.POST.get('text', '')}")


def basket(request: HttpRequest) -> HttpResponse:
    """Something in the session."""
    if request.method == "POST":
        request.session["basket"] = request.POST["basket"]
    return HttpResponse(request.session.get("basket", "empty"))

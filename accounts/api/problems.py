"""Format errors for clients: problem details (RFC 9457), and the challenge of RFC 6750 §3."""

from django.http import JsonResponse

from accounts.security.throttle import Throttled

REALM = 'Bearer realm="sojourn"'


class Problem(Exception):
    """Report an error to the client: a status, a short title, and what to do."""

    def __init__(self, status: int, title: str, detail: str = "", **headers: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.members: dict[str, object] = {}  # more that a program can use (RFC 9457 §3.2)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> JsonResponse:
        """Return the error as a response."""
        body: dict[str, object] = {"type": "about:blank", "title": self.title, "status": self.status}
        if self.detail:
            body["detail"] = self.detail
        body |= self.members
        return JsonResponse(body, status=self.status, content_type="application/problem+json", headers=self.headers)


def unauthorized(error: str = "", description: str = "", title: str = "unauthorized", **members: object) -> Problem:
    """Return a 401. Without credentials the challenge says nothing else (RFC 6750 §3.1).

    `error` is one of the RFC's, which is the title then. `members` are added to the body.
    """
    challenge = REALM
    if error:
        challenge += f', error="{error}"'
    if description:
        challenge += f', error_description="{description}"'
    problem = Problem(401, error or title, description or "Send a valid token.", WWW_Authenticate=challenge)
    problem.members = members
    return problem


def forbidden(detail: str = "Only staff members can do this.") -> Problem:
    """Return a 403: the token is valid, but its user is not allowed to do this."""
    return Problem(403, "forbidden", detail)


def try_later(throttled: Throttled) -> Problem:
    """Return a 429 or 503: the same request may be tried again in `Retry-After` seconds."""
    title = "too_many_requests" if throttled.status == 429 else "unavailable"
    return Problem(throttled.status, title, throttled.sentence, Retry_After=str(throttled.retry_after))

"""The site's settings, with a header that says which machine has answered."""

import os

from django.utils.deprecation import MiddlewareMixin

from tests.resilience.settings import *  # noqa: F403
from tests.resilience.settings import MIDDLEWARE  # type: ignore[attr-defined]

MIDDLEWARE = ["tests.cluster.settings.MachineMiddleware", *MIDDLEWARE]


class MachineMiddleware(MiddlewareMixin):
    def process_response(self, request, response):
        response.headers["X-Machine"] = os.environ["MACHINE"]
        return response

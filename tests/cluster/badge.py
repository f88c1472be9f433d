"""What shows in an answer which machine it came from."""

import os

from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin


class Badge(MiddlewareMixin):
    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers["X-Machine"] = os.environ["MACHINE"]
        return response

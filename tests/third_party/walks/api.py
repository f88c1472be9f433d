"""A view of Django REST framework."""

from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Me(APIView):
    def get(self, request: Request) -> Response:
        return Response({"name": request.user.username, "address": request.user.email})

    def post(self, request: Request) -> Response:
        return Response({"got": request.data})


class TokenMe(Me):
    """By what asks for no session."""

    authentication_classes = (BasicAuthentication, TokenAuthentication)

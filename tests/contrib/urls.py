"""The site, and beside it views that somebody else wrote with Django REST framework."""

from django.urls import include, path
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from project.urls import urlpatterns as site
from tokens.contrib.drf import GuardedTokenAuthentication, TokenAuthentication
from tokens.decorators import anonymous_only


class Who(APIView):
    renderer_classes = (JSONRenderer,)
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        session = request.auth and str(request.auth.session_id)
        return Response({"name": request.user.get_username(), "session": session})

    post = get


class Anybody(Who):
    permission_classes = (AllowAny,)


class Guarded(Who):
    authentication_classes = (GuardedTokenAuthentication,)


class Staff(Who):
    permission_classes = (IsAdminUser,)


class EitherWay(Who):
    authentication_classes = (TokenAuthentication, BasicAuthentication)


class Notes(ViewSet):
    renderer_classes = (JSONRenderer,)
    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def list(self, request):
        return Response({"name": request.user.get_username()})


@api_view(["GET"])
@authentication_classes([TokenAuthentication])
@permission_classes([IsAuthenticated])
def function(request):
    return Response({"name": request.user.get_username()})


router = SimpleRouter()
router.register("notes", Notes, basename="note")

urlpatterns = [
    *site,
    path("drf/who/", Who.as_view()),
    path("drf/anybody/", Anybody.as_view()),
    path("drf/anonymous/", anonymous_only(Anybody.as_view())),
    path("drf/guarded/", Guarded.as_view()),
    path("drf/staff/", Staff.as_view()),
    path("drf/either-way/", EitherWay.as_view()),
    path("drf/function/", function),
    path("drf/", include(router.urls)),
]

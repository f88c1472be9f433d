"""The pages that the peers answer: each says who asks, by what its peer knows.

They share one pattern, so that finding the view takes as long for each of them as for the bare one.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path


@login_not_required
def page(request: HttpRequest, name: str) -> HttpResponse:
    return PAGES[name](request)


@login_not_required
async def async_page(request: HttpRequest, name: str) -> HttpResponse:
    return await ASYNC_PAGES[name](request)


def bare(request: HttpRequest) -> HttpResponse:
    """Answer without asking who it is: the floor."""
    return HttpResponse("alice")


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username() or "nobody")


def stateless(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_simplejwt("JWTStatelessUserAuthentication").authenticate(request)[0].username)


def with_user(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_simplejwt("JWTAuthentication").authenticate(request)[0].get_username())


def allauth(request: HttpRequest) -> HttpResponse:
    from allauth.headless.tokens.strategies.jwt import internal

    found = internal.validate_access_token(request.headers["Authorization"].removeprefix("Bearer "))
    return HttpResponse(found[0].get_username() if found else "")


async def async_bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse("alice")


async def async_hello(request: HttpRequest) -> HttpResponse:
    """Answer who asks, by the token alone."""
    return HttpResponse(request.user.get_username() or "nobody")


async def auser(request: HttpRequest) -> HttpResponse:
    """Answer who asks, as they are in the database."""
    return HttpResponse((await request.auser()).get_username() or "nobody")


@cache
def _simplejwt(name: str) -> Any:
    from rest_framework_simplejwt import authentication

    return getattr(authentication, name)()


PAGES = {"bare": bare, "hello": hello, "stateless": stateless, "with-user": with_user, "allauth": allauth}
ASYNC_PAGES = {"bare": async_bare, "hello": async_hello, "auser": auser}

urlpatterns = [path("pages/<str:name>/", page), path("async/<str:name>/", async_page)]

"""Who a socket is of, and when it is closed."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.auth import get_user, login, logout
from channels.generic.websocket import AsyncWebsocketConsumer
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from django.db.models.functions import Now

from tests.tokens.clock import EXPIRED, copy_of, elapse, jar
from tokens.contrib.channels import ENDED, TRY_AGAIN_LATER, AuthMiddlewareStack
from tokens.core.exceptions import RevocationListUnavailable
from tokens.models import RefreshToken, RefreshTokenManager
from tokens.revocation import local_revocation_list

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.tokens.urls")]


class Echo(AsyncWebsocketConsumer):
    """Says who somebody is, and notes what it hears."""

    async def receive(self, text_data=None, bytes_data=None):
        self.scope["heard"].append(text_data)
        if text_data == "basket":
            return await self.send(await self.scope["session"].aget("basket", "empty"))
        if text_data == "later":
            await self.scope["event"].wait()
        elif text_data == "leave":
            await logout(self.scope)
        elif text_data == "enter":
            await login(self.scope, self.scope["user"])
        user = self.scope["user"]
        assert user == await get_user(self.scope)  # by the three keys in the session
        await self.send(f"{text_data} {user.get_username() or 'nobody'}")

    async def disconnect(self, code):
        self.scope["heard"].append(code)


class Open:
    """The browser's end of a socket."""

    def __init__(self, client, check_every, inner=None):
        header = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        self.heard, self.event = [], asyncio.Event()
        headers = [(b"host", b"testserver"), (b"cookie", header.encode())]
        scope = {"type": "websocket", "path": "/ws/", "query_string": b"", "headers": headers}
        scope |= {"heard": self.heard, "event": self.event}
        self.application = ApplicationCommunicator(AuthMiddlewareStack(inner or Echo.as_asgi(), check_every), scope)

    async def says(self, text):
        """What comes back; the code if the socket is closed instead."""
        await self.application.send_input({"type": "websocket.receive", "text": text})
        return await self.hears()

    async def hears(self):
        message = await self.application.receive_output(20)
        return message.get("text") or message.get("code")


@asynccontextmanager
async def socket(client, check_every=0):
    """Connected, and checked with each message unless the test says otherwise."""
    opened = Open(client, check_every)
    await opened.application.send_input({"type": "websocket.connect"})
    accepted = await opened.application.receive_output(20)
    assert accepted["type"] == "websocket.accept"
    for name, value in accepted.get("headers", ()):
        assert name == b"set-cookie"
        client.cookies.load(value.decode())
    yield opened
    await opened.application.send_input({"type": "websocket.disconnect", "code": 1001})
    await opened.application.wait(20)


async def ended_elsewhere(**about):
    await RefreshToken.objects.aupdate(revoked_at=Now(), changed_at=Now(), reason="ended", **about)


def greeted(client):
    """What a socket answers to a greeting."""

    async def greet():
        async with socket(client) as opened:
            return await opened.says("hello")

    return asyncio.run(greet())


def test_good_tokens_say_who_it_is_and_nothing_else_does(bob, signed_in):
    client = signed_in(bob)
    expired, forged = copy_of(client), copy_of(client)
    elapse(EXPIRED, expired)
    del expired.cookies["__Host-refresh"]
    for kind in ("access", "refresh"):
        forged.cookies[f"__Host-{kind}"] = client.cookies[f"__Host-{kind}"].value[:-8] + "AAAAAAAA"
    rows = list(RefreshToken.objects.values())
    assert [greeted(each) for each in (client, expired, forged)] == ["hello bob", "hello nobody", "hello nobody"]
    assert list(RefreshToken.objects.values()) == rows
    RefreshToken.objects.update(revoked_at=Now())
    assert greeted(client) == "hello nobody"


def test_tokens_are_refreshed_by_what_accepts_the_socket_and_confirmed_as_ever(bob, signed_in, name_on):
    client = signed_in(bob)
    for generation in (1, 2):
        held = dict(jar(client))
        elapse(EXPIRED, client)
        assert greeted(client) == "hello bob"
        assert not held.items() & jar(client).items()
        assert RefreshToken.objects.get().generation == generation
    elapse(130, client)
    assert name_on(client) == "bob"
    assert RefreshToken.objects.get().generation == 3


def test_a_stale_token_is_nobodys_which_is_for_a_page_to_judge_and_something_newer_answers_its_probe(bob, signed_in):
    client = signed_in(bob)
    stale = copy_of(client)
    for _ in range(2):
        elapse(EXPIRED, client, stale)
        client.get("/who/")
    assert greeted(stale) == "hello nobody"
    assert RefreshToken.objects.get().probed_jti is None
    assert stale.get("/who/").status_code == 307
    assert greeted(stale) == "hello nobody"
    assert RefreshToken.objects.get().is_live
    stale.cookies.update(client.cookies)
    assert greeted(stale) == "hello bob"
    assert RefreshToken.objects.get().probed_jti is None
    assert [stale.cookies[f"__Host-{name}"].value for name in ("probe", "probe-told")] == ["", ""]


def test_a_socket_that_is_refused_gets_no_cookies(bob, signed_in):
    """Its tokens confirm nothing: the browser does not hold them."""

    async def refuse(scope, receive, send):
        await send({"type": "websocket.close"})

    async def connect(client):
        opened = Open(client, 0, refuse)
        await opened.application.send_input({"type": "websocket.connect"})
        return await opened.application.receive_output(20)

    client = signed_in(bob)
    elapse(EXPIRED, client)
    assert "headers" not in asyncio.run(connect(client))


@pytest.mark.parametrize(("reason", "found"), [("", "apples"), ("ended", "empty")])
def test_what_djangos_session_holds_stays_as_long_as_the_sign_in(bob, signed_in, reason, found):
    async def look(client):
        async with socket(client) as opened:
            return await opened.says("basket")

    client = signed_in(bob, store="apples")
    if reason:
        RefreshToken.objects.revoke_for([bob], reason)
    else:
        elapse(EXPIRED, client)
    assert asyncio.run(look(client)) == found


def test_a_socket_outlives_its_access_token_and_not_its_session(bob, signed_in, settings):
    async def talk(client):
        async with socket(client) as opened:
            settings.TOKENS_ACCESS_LIFETIME = 1
            await sync_to_async(elapse)(EXPIRED)
            said = [await opened.says("still")]
            await ended_elsewhere()
            said += [await opened.says("again"), opened.heard]
        return said

    assert asyncio.run(talk(signed_in(bob))) == ["still bob", ENDED, ["still", ENDED]]


def test_nothing_is_sent_to_a_session_that_has_ended(bob, signed_in):
    async def wait(client):
        async with socket(client) as opened:
            await opened.application.send_input({"type": "websocket.receive", "text": "later"})
            while not opened.heard:
                await asyncio.sleep(0)
            await ended_elsewhere()
            opened.event.set()
            return await opened.hears(), await opened.application.receive_nothing()

    assert asyncio.run(wait(signed_in(bob))) == (ENDED, True)


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": None},
        {"expires_at": Now()},
        {"last_used_at": Now() - timedelta(days=8)},
    ],
)
def test_a_silent_socket_is_closed_when_its_row_says_so(bob, signed_in, change):
    async def wait(client):
        async with socket(client, check_every=0.05) as opened:
            await RefreshToken.objects.aupdate(**change)
            return await opened.hears(), opened.heard

    assert asyncio.run(wait(signed_in(bob))) == (ENDED, [ENDED])


def test_a_message_costs_no_query_and_what_is_revoked_is_closed_by_the_list(bob, signed_in, settings, monkeypatch):
    settings.TOKENS_REVOCATION_LAG = 0

    async def talk(client):
        async with socket(client, check_every=3600) as opened:
            monkeypatch.setattr(RefreshTokenManager, "get_live", lambda *_: pytest.fail("The row was read."))
            said = [await opened.says("hello")]
            monkeypatch.undo()
            await ended_elsewhere()
            return [*said, await opened.says("again")]

    assert asyncio.run(talk(signed_in(bob))) == ["hello bob", ENDED]


def test_an_outage_closes_no_socket_before_it_would_answer_no_request(bob, signed_in, monkeypatch):
    def gone(*_):
        raise OperationalError("gone")

    def unknown(*_):
        raise RevocationListUnavailable("unknown")

    async def talk(client):
        async with socket(client) as opened:
            monkeypatch.setattr(RefreshTokenManager, "get_live", gone)
            said = [await opened.says("hello")]
            monkeypatch.setattr(local_revocation_list, "entry", unknown)
            return [*said, await opened.says("again"), opened.heard]

    assert asyncio.run(talk(signed_in(bob))) == ["hello bob", TRY_AGAIN_LATER, ["hello", TRY_AGAIN_LATER]]


def test_log_out_ends_the_session_and_log_in_is_refused(bob, signed_in):
    async def talk(client):
        async with socket(client) as opened:
            return await opened.says("leave"), await opened.says("hello")

    client = signed_in(bob)
    assert asyncio.run(talk(client)) == ("leave nobody", "hello nobody")
    assert RefreshToken.objects.get().reason == "signed_out"
    assert client.get("/who/").content == b"nobody"

    async def enter(client):
        async with socket(client) as opened:
            await opened.application.send_input({"type": "websocket.receive", "text": "enter"})
            await opened.application.wait(20)

    with pytest.raises(ImproperlyConfigured, match="TokenMiddleware"):
        asyncio.run(enter(signed_in(bob)))

import inspect

import pytest
from asgiref.sync import async_to_sync
from django import test
from django.core.exceptions import ImproperlyConfigured

from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import AsyncClient, Client

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

Reason = RefreshToken.Reason


def who(client):
    return client.get("/who/").content.decode()


def closed(client):
    return client.get("/closed/").status_code


class TestClient:
    def test_force_login_makes_a_real_sign_in(self, bob):
        client = Client()
        client.force_login(bob)
        assert RefreshToken.objects.live().get().user == bob
        assert {"__Host-access", "__Host-refresh"} <= set(client.cookies)
        assert who(client) == "bob"

    def test_force_login_takes_a_backend(self, bob, settings):
        client = Client()
        client.force_login(bob, backend=settings.AUTHENTICATION_BACKENDS[0])
        assert who(client) == "bob"

    def test_login_tells_whether_it_let_in(self, bob):
        client = Client()
        assert client.login(username="bob", password="wrong") is False
        assert who(client) == "nobody"
        assert client.login(username="bob", password=PASSWORD) is True
        assert who(client) == "bob"

    def test_somebody_else_takes_the_place_of_the_one_before(self, alice, bob):
        client = Client()
        client.force_login(bob)
        client.force_login(alice)
        assert who(client) == "alice"
        assert RefreshToken.objects.get(user=bob).reason == Reason.REPLACED

    def test_logout_ends_the_row_and_empties_the_jar(self, bob):
        client = Client()
        client.force_login(bob)
        client.logout()
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT
        assert not client.cookies
        assert who(client) == "nobody"

    def test_logout_of_nobody_does_nothing(self):
        client = Client()
        client.logout()
        assert who(client) == "nobody"

    def test_two_clients_are_two_sessions(self, bob):
        first, second = Client(), Client()
        first.force_login(bob)
        second.force_login(bob)
        first.logout()
        assert (who(first), who(second)) == ("nobody", "bob")

    def test_other_cookies_of_the_jar_stay(self, bob):
        client = Client()
        client.cookies["flavour"] = "oat"
        client.force_login(bob)
        assert client.cookies["flavour"].value == "oat"

    def test_a_closed_page_opens(self, bob):
        client = Client()
        assert closed(client) == 302
        client.force_login(bob)
        assert closed(client) == 200


class TestTheAsynchronousSide:
    def test_client_has_it_too(self, bob):
        client = Client()
        async_to_sync(client.aforce_login)(bob)
        assert who(client) == "bob"
        assert async_to_sync(client.alogin)(username="bob", password="wrong") is False
        assert async_to_sync(client.alogin)(username="bob", password=PASSWORD) is True
        async_to_sync(client.alogout)()
        assert who(client) == "nobody"

    def test_async_client_signs_in_and_out(self, bob):
        async def visit():
            client = AsyncClient()
            names = [await asked(client)]
            await client.aforce_login(bob)
            names.append(await asked(client))
            await client.alogout()
            names.append(await asked(client))
            names.append(await client.alogin(username="bob", password=PASSWORD))
            names.append(await asked(client))
            return names

        async def asked(client):
            return (await client.get("/who/")).content.decode()

        assert async_to_sync(visit)() == ["nobody", "bob", "nobody", True, "bob"]
        assert RefreshToken.objects.live().count() == 1

    def test_an_async_view_knows_the_person(self, bob):
        client = Client()
        client.force_login(bob)
        assert client.get("/who-async/").content.decode() == "bob bob@example.org"


def taken(method):
    """What `method` takes; annotations are our own."""
    return [(one.name, one.kind, one.default) for one in inspect.signature(method).parameters.values()]


class TestSignatures:
    @pytest.mark.parametrize(
        ("ours", "djangos"), [(Client, test.Client), (AsyncClient, test.AsyncClient)], ids=["Client", "AsyncClient"]
    )
    @pytest.mark.parametrize("name", ["force_login", "login", "logout", "aforce_login", "alogin", "alogout"])
    def test_they_are_djangos(self, ours, djangos, name):
        assert taken(getattr(ours, name)) == taken(getattr(djangos, name))
        assert inspect.iscoroutinefunction(getattr(ours, name)) == inspect.iscoroutinefunction(getattr(djangos, name))


class TestDjangosOwnClient:
    SENTENCE = (
        "login() needs a request that has passed tokens.middleware.TokenMiddleware. "
        "In tests, use tokens.testing.Client."
    )

    @pytest.mark.parametrize("client", [test.Client, test.AsyncClient])
    def test_it_says_which_to_take_instead(self, bob, client):
        with pytest.raises(ImproperlyConfigured) as caught:
            client().force_login(bob)
        assert str(caught.value) == self.SENTENCE
        assert not RefreshToken.objects.exists()

    def test_so_does_its_login(self, bob):
        with pytest.raises(ImproperlyConfigured) as caught:
            test.Client().login(username="bob", password=PASSWORD)
        assert str(caught.value) == self.SENTENCE

    def test_its_logout_of_nobody_works(self):
        test.Client().logout()

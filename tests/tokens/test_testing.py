import inspect
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django import test
from django.core.exceptions import ImproperlyConfigured

from tests.conftest import PASSWORD
from tokens.models import RefreshToken
from tokens.testing import AsyncClient, Client, TestMixin, browser_cookies

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

Reason = RefreshToken.Reason
ROOT = Path(__file__).resolve().parent.parent.parent
SITE = """
from tokens.testing import AsyncClient, Client

def test_client(client, async_client):
    assert (type(client), type(async_client)) == (Client, AsyncClient)

def test_admin_client(admin_client):
    assert admin_client.get("/admin/", secure=True).status_code == 200

def test_async_admin_client(async_admin_client):
    assert "__Host-refresh" in async_admin_client.cookies
"""


def who(client):
    return client.get("/who/").content.decode()


class TestClient:
    def test_force_login_makes_a_real_sign_in_and_leaves_other_cookies(self, bob):
        client = Client()
        client.cookies["flavour"] = "oat"
        client.force_login(bob)
        assert RefreshToken.objects.live().get().user == bob
        assert set(client.cookies) >= {"__Host-access", "__Host-refresh", "__Host-reauth", "flavour"}
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

    def test_logout_ends_the_row_and_empties_the_jar_and_does_nothing_for_nobody(self, bob):
        client = Client()
        client.logout()
        client.force_login(bob)
        client.logout()
        assert RefreshToken.objects.get().reason == Reason.SIGNED_OUT
        assert not client.cookies
        assert who(client) == "nobody"


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


def taken(method):
    """What `method` takes; annotations are our own."""
    return [(one.name, one.kind, one.default) for one in inspect.signature(method).parameters.values()]


class TestSignatures:
    @pytest.mark.parametrize(("ours", "djangos"), [(Client, test.Client), (AsyncClient, test.AsyncClient)])
    def test_they_are_djangos(self, ours, djangos):
        for name in ("force_login", "login", "logout", "aforce_login", "alogin", "alogout"):
            own, theirs = getattr(ours, name), getattr(djangos, name)
            assert taken(own) == taken(theirs), name
            assert inspect.iscoroutinefunction(own) == inspect.iscoroutinefunction(theirs), name


class TestDjangosOwnClient:
    def test_it_says_which_to_take_instead(self, bob):
        sentence = (
            "login() needs a request that has passed tokens.middleware.TokenMiddleware. "
            "In tests, use tokens.testing.Client."
        )
        for sign_in in (
            lambda: test.Client().force_login(bob),
            lambda: test.AsyncClient().force_login(bob),
            lambda: test.Client().login(username="bob", password=PASSWORD),
        ):
            with pytest.raises(ImproperlyConfigured) as caught:
                sign_in()
            assert str(caught.value) == sentence
        assert not RefreshToken.objects.exists()

    def test_its_logout_of_nobody_works(self):
        test.Client().logout()


class TestEverywhere:
    def test_the_mixin_gives_a_test_case_both_clients(self):
        class Tests(TestMixin, test.TestCase):
            pass

        assert (Tests.client_class, Tests.async_client_class) == (Client, AsyncClient)

    @pytest.mark.parametrize("plugin", ["tokens.testing", "tokens.pytest_fixtures"])
    def test_the_fixtures_take_the_place_of_pytest_djangos(self, tmp_path, plugin):
        # The database of tests.settings, and no thread that sends mails: pytest compiles plugins at the end, and two
        # threads that compile are too much for Python 3.11.
        taken = "from tests.conftest import _mails_at_once, pytest_configure, pytest_unconfigure"
        (tmp_path / "conftest.py").write_text(f'{taken}\npytest_plugins = ["{plugin}"]\n')
        (tmp_path / "test_site.py").write_text(SITE)
        options = ["-q", "-p", "no:cacheprovider", "--ds=tests.settings"]
        command = [sys.executable, "-m", "pytest", *options, tmp_path]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
        assert "3 passed" in done.stdout, done.stdout + done.stderr

    @pytest.mark.django_db(transaction=True)
    def test_the_cookies_sign_a_browser_in(self, browser, live_server, bob):
        context = browser.new_context(base_url=live_server.url)
        context.add_cookies(browser_cookies(bob, live_server.url))
        with closing(context):
            page = context.new_page()
            page.goto("/who/")
            assert page.locator("body").inner_text() == "bob"

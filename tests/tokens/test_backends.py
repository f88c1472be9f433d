"""The backend that let somebody in is asked whenever the row is read, as Django asks it at each request."""

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import UserManager
from django.db.models import Value

from tests.proxy_models.models import Colleague
from tests.tokens.clock import elapse
from tokens.models import RefreshToken
from tokens.testing import AsyncClient, Client

pytestmark = [pytest.mark.urls("tests.tokens.urls"), pytest.mark.django_db]

DJANGOS = "django.contrib.auth.backends.ModelBackend"
BANS = f"{__name__}.BansBackend"
DIRECTORY = f"{__name__}.DirectoryBackend"
ALL_USERS = "django.contrib.auth.backends.AllowAllUsersModelBackend"


class BansBackend(ModelBackend):
    banned = frozenset()

    def get_user(self, user_id):
        return None if user_id in self.banned else super().get_user(user_id)


class DirectoryBackend(ModelBackend):
    """As django-auth-ldap and others: finds a proxy, and hangs on it what may be asked later."""

    def get_user(self, user_id):
        colleague = Colleague.objects.get(pk=user_id)
        colleague.email, colleague.groups_in_directory = "bob@directory.example", {"flyers"}
        return colleague

    def has_perm(self, user_obj, perm, obj=None):
        return "flyers" in getattr(user_obj, "groups_in_directory", ())


@pytest.fixture
def banned(monkeypatch):
    monkeypatch.setattr(BansBackend, "banned", set())
    return BansBackend.banned


@pytest.fixture
def let_in(settings):
    """`let_in(user, backend)`: a browser in which that backend has let `user` in."""
    settings.AUTHENTICATION_BACKENDS = [DJANGOS, BANS, DIRECTORY, ALL_USERS]

    def let_in(user, backend):
        client = Client()
        client.force_login(user, backend)
        return client

    return let_in


def reason():
    return RefreshToken.objects.get().reason


def test_a_ban_ends_the_session_when_the_row_is_read(let_in, banned, bob, name_on, settings):
    settings.DATABASE_ROUTERS = []
    client = let_in(bob, BANS)
    banned.add(bob.pk)
    assert name_on(client, "/guarded/") == "nobody"
    assert reason() == RefreshToken.Reason.DEACTIVATED
    banned.clear()
    assert name_on(client) == "nobody"


def test_somebody_of_whom_a_replica_has_not_heard_yet_is_nobody_until_it_has(let_in, banned, bob, name_on):
    client = let_in(bob, BANS)
    banned.add(bob.pk)
    assert [name_on(client, "/guarded/"), name_on(client)] == ["nobody", "nobody"]
    banned.clear()
    assert name_on(client) == "bob"


def test_a_ban_is_no_matter_to_whom_another_backend_let_in(let_in, banned, bob, name_on):
    client = let_in(bob, DJANGOS)
    banned.add(bob.pk)
    assert name_on(client, "/guarded/") == "bob"


def test_a_backend_that_is_gone_from_the_settings_takes_its_sessions_along(let_in, settings, bob, name_on):
    client = let_in(bob, BANS)
    settings.AUTHENTICATION_BACKENDS = [DJANGOS]
    elapse(16 * 60, client)
    assert name_on(client) == "nobody"
    assert reason() == RefreshToken.Reason.DEACTIVATED


def test_people_whom_the_default_manager_does_not_show_are_nobody(let_in, monkeypatch, bob, name_on):
    class Undeleted(UserManager):
        def get_queryset(self):
            return super().get_queryset().exclude(first_name="deleted")

    client = let_in(bob, DJANGOS)
    hiding = Undeleted()
    hiding.model = get_user_model()
    monkeypatch.setattr(get_user_model()._meta, "default_manager", hiding)
    assert name_on(client, "/guarded/") == "bob"
    get_user_model()._base_manager.filter(pk=bob.pk).update(first_name="deleted")
    assert name_on(client, "/guarded/") == "nobody"


class TestInactive:
    def test_is_let_in_by_the_backend_for_all_and_stays(self, let_in, bob, name_on):
        bob.is_active = False
        bob.save()
        client = let_in(bob, ALL_USERS)
        assert [name_on(client), name_on(client, "/guarded/")] == ["bob", "bob"]
        elapse(16 * 60, client)
        assert name_on(client) == "bob"

    def test_a_token_does_not_say_that_they_are_active(self, let_in, bob):
        bob.is_active = False
        bob.save()
        assert let_in(bob, ALL_USERS).get("/active/").content == b"False"

    def test_ends_the_sessions_of_those_backends_that_would_not_let_them_in(self, let_in, bob, name_on):
        by_django, by_all = let_in(bob, DJANGOS), let_in(bob, ALL_USERS)
        bob.is_active = False
        bob.save()
        assert [name_on(by_django, "/guarded/"), name_on(by_all, "/guarded/")] == ["nobody", "bob"]


class TestFindsMore:
    """`request.user` is whom Django would find, with all that the site's own code knows of them."""

    @pytest.fixture(params=["/who/", "/guarded/", "/who-async/"])
    def found(self, request, monkeypatch):
        """`found(client)`: the user of a page."""

        def found(client):
            response = client.get(request.param)
            assert response.content.startswith(b"bob")
            return response.wsgi_request.user

        return found

    def test_a_proxy_and_what_a_backend_hangs_on_it(self, let_in, bob, found):
        client = let_in(bob, DIRECTORY)
        for _ in range(2):
            user = found(client)
            assert isinstance(user, Colleague) and user.has_perm("anything")
            elapse(16 * 60, client)

    def test_it_in_the_event_loop(self, let_in, bob):
        client = AsyncClient()
        client.cookies = let_in(bob, DIRECTORY).cookies
        for _ in range(2):
            user = async_to_sync(client.get)("/name-async/").asgi_request.user
            assert isinstance(user, Colleague) and user.groups_in_directory

    def test_what_the_default_manager_annotates(self, let_in, monkeypatch, bob, found):
        class Annotating(UserManager):
            def get_queryset(self):
                return super().get_queryset().annotate(stars=Value(5))

        annotating = Annotating()
        annotating.model = get_user_model()
        monkeypatch.setattr(get_user_model()._meta, "default_manager", annotating)
        assert found(let_in(bob, DJANGOS)).stars == 5

    def test_costs_no_query_where_there_is_no_more_than_the_row(self, let_in, bob, django_assert_num_queries):
        for backend, queries in ((DJANGOS, 0), (BANS, 0), (DIRECTORY, 2)):
            client = let_in(bob, backend)
            client.get("/who/")
            with django_assert_num_queries(queries):
                client.get("/who/")

    @pytest.mark.parametrize(("routers", "email"), [
        ([], "bob@directory.example"),
        (["tests.tokens.replica.Router"], "bob@example.org"),
    ])  # fmt: skip
    def test_where_replicas_lag_the_columns_are_the_primarys(self, let_in, settings, bob, name_on, routers, email):
        settings.DATABASE_ROUTERS = routers
        assert name_on(let_in(bob, DIRECTORY), "/address/") == email

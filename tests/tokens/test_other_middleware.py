"""What other middlewares decide stands, as it does after Django's AuthenticationMiddleware: side by side."""

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as site
from django.contrib import auth
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.auth.views import LoginView
from django.http import HttpResponse, JsonResponse
from django.test import Client
from django.urls import path
from django.utils.functional import SimpleLazyObject, empty

from tests.conftest import PASSWORD
from tests.tokens import urls as pages
from tests.tokens.clock import copy_of, elapse
from tokens import receivers
from tokens.models import RefreshToken
from tokens.session import OWNER, SIGN_IN_KEYS

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]

OURS, DJANGOS = "tokens.middleware.TokenMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"
HERE = f"{__name__}."
REMOTE = "django.contrib.auth.middleware."
EXPIRED, DAY = 16 * 60, 24 * 60 * 60
SIGNING_OUT = {
    "flush": lambda session: session.flush(),
    "clear": lambda session: session.clear(),
    "pop": lambda session: session.pop(SIGN_IN_KEYS[0]),
    "apop": lambda session: async_to_sync(session.apop)(SIGN_IN_KEYS[1]),
    "del": lambda session: session.__delitem__(SIGN_IN_KEYS[2]),
}


def keys(request):
    """What a package finds in the session, and in what is stored of it."""
    found = [request.session.get(key) for key in SIGN_IN_KEYS if key in request.session]
    return JsonResponse({"found": found, "user": auth.get_user(request).get_username()})


async def keys_async(request):
    session = request.session
    found = [await session.aget(key) for key in SIGN_IN_KEYS if await session.ahas_key(key)]
    return JsonResponse({"found": found, "user": (await auth.aget_user(request)).get_username()})


def looks_again(request):
    """As allauth.headless does."""
    request.user._wrapped = empty
    return pages.who(request)


def is_empty(request):
    return HttpResponse(request.session.is_empty())


async def basket_async(request):
    return HttpResponse(await request.session.aget("basket", "empty"))


def switch(request):
    """As packages do whose sign-in takes more than one page: out, a note about the next user, and in."""
    auth.logout(request)
    request.session["note"] = "of alice"
    auth.login(request, person("alice"), site.AUTHENTICATION_BACKENDS[0])
    return pages.who(request)


class RememberingLoginView(LoginView):
    """As Wagtail's: `set_expiry()` before the sign-in, or after it."""

    def form_valid(self, form):
        wanted = self.request.POST.get("expiry")
        if wanted and "after" not in self.request.POST:
            self.request.session.set_expiry(int(wanted))
        response = super().form_valid(form)
        if wanted and "after" in self.request.POST:
            self.request.session.set_expiry(int(wanted))
        return response


urlpatterns = [
    path("sign-in/", RememberingLoginView.as_view(next_page="/who/"), name="login"),
    path("looks-again/", looks_again),
    path("switch/", switch),
    path("is-empty/", is_empty),
    path("basket-async/", basket_async),
    path("keys/", keys),
    path("keys-async/", keys_async),
    *pages.urlpatterns,
]
handler404 = pages.handler404


def person(name):
    return get_user_model().objects.get(username=name)


def api_key(get_response):
    def middleware(request):
        if name := request.headers.get("x-api-key"):
            request.user = person(name)
        return get_response(request)

    return middleware


def impersonate(get_response):
    def middleware(request):
        if request.user.is_authenticated and "as" in request.GET:
            request.impersonator, request.user = request.user, person(request.GET["as"])
        return get_response(request)

    return middleware


def second_factor(get_response):
    """As django-otp does: a lazy object round the one that was there."""

    def marked(user):
        user.is_verified = True
        return user

    def middleware(request):
        before = request.user
        request.user = SimpleLazyObject(lambda: marked(before))
        return get_response(request)

    return middleware


def tenant(get_response):
    def middleware(request):
        request.user.tenant = "acme"
        response = get_response(request)
        response.headers["Tenant"] = getattr(request.user, "tenant", "lost")
        return response

    return middleware


def backend_in_header(get_response):
    def middleware(request):
        backend = request.session.get(auth.BACKEND_SESSION_KEY, "none")
        response = get_response(request)
        response.headers["Backend"] = backend
        return response

    return middleware


def flushes(get_response):
    def middleware(request):
        response = get_response(request)
        if "keep" in request.GET:
            request.session["basket"] = "apples"
        if "drop" in request.GET:
            del request.session["basket"]
        for way in request.GET.keys() & SIGNING_OUT.keys():
            SIGNING_OUT[way](request.session)
        return response

    return middleware


def signing_in_and_out(get_response):
    def middleware(request):
        if "in" in request.GET:
            auth.login(request, person(request.GET["in"]), site.AUTHENTICATION_BACKENDS[0])
        if "out" in request.GET:
            auth.logout(request)
        return get_response(request)

    return middleware


@pytest.fixture(params=["django", "tokens"])
def stack(request, settings):
    """`stack(middleware)`: the same site with Django's middleware or with ours, and that one after it."""
    connected = request.param == "tokens"
    if not connected:
        user_logged_in.disconnect(dispatch_uid="tokens")
        user_logged_out.disconnect(dispatch_uid="tokens")

    def stack(*names):
        ours = OURS if connected else DJANGOS
        sessions = "django.contrib.sessions.middleware.SessionMiddleware"
        settings.MIDDLEWARE = [sessions, ours, *names]

    yield stack
    user_logged_in.connect(receivers.logged_in, dispatch_uid="tokens")
    user_logged_out.connect(receivers.logged_out, dispatch_uid="tokens")


@pytest.fixture
def ours(settings):
    def ours(*names):
        settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", OURS, *names]

    return ours


@pytest.fixture
def remote(settings):
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.RemoteUserBackend",
        "django.contrib.auth.backends.ModelBackend",
    ]


def name_on(client, url="/who/", **headers):
    return client.get(url, headers=headers).content.decode()


def by_password(user, **more):
    client = Client()
    response = client.post("/sign-in/", {"username": user.username, "password": PASSWORD, **more})
    assert response.headers["Location"] == "/who/"
    return client


class TestRemoteUser:
    @pytest.mark.parametrize(("name", "afterwards"), [("RemoteUser", "nobody"), ("PersistentRemoteUser", "alice")])
    def test_the_header_signs_in_and_its_end_signs_out_unless_it_is_persistent(
        self, stack, remote, alice, bob, name, afterwards
    ):
        stack(f"{REMOTE}{name}Middleware")
        client = Client()
        seen = [client.get("/who/", REMOTE_USER=who).content for who in ("bob", "bob", "alice", "alice")]
        assert seen == [b"bob", b"bob", b"alice", b"alice"]
        assert [name_on(client), name_on(client)] == [afterwards, afterwards]

    def test_people_who_signed_in_by_password_stay_signed_in_beside_it(self, stack, remote, bob):
        stack(f"{REMOTE}RemoteUserMiddleware")
        client = by_password(bob)
        assert [name_on(client), name_on(client)] == ["bob", "bob"]


class TestSetsTheUser:
    def test_an_api_key_counts_for_its_request_with_or_without_a_session(self, stack, alice, bob):
        stack(f"{HERE}api_key")
        assert name_on(Client(), x_api_key="alice") == "alice"
        client = by_password(bob)
        assert [name_on(client, x_api_key="alice"), name_on(client)] == ["alice", "bob"]
        assert name_on(client, "/nowhere/", x_api_key="alice") == "nothing here"

    def test_an_operator_is_whom_the_page_says(self, stack, alice, bob):
        stack(f"{HERE}impersonate")
        client = by_password(bob)
        assert [name_on(client, "/who/?as=alice"), name_on(client)] == ["alice", "bob"]

    def test_a_lazy_object_round_ours_is_whoever_that_turns_out_to_be(self, stack, bob):
        stack(f"{HERE}second_factor")
        assert name_on(Client()) == "nobody"
        client = by_password(bob)
        assert [name_on(client), name_on(client, "/address/")] == ["bob", "bob@example.org"]

    @pytest.mark.parametrize("url", ["/who/", "/address/", "/guarded/", "/nowhere/"])
    def test_what_it_puts_on_the_user_is_still_there_in_the_view(self, stack, bob, url):
        stack(f"{HERE}tenant")
        assert by_password(bob).get(url).headers["Tenant"] == "acme"

    def test_who_is_looked_up_once_more_is_the_same(self, stack, bob):
        stack()
        assert [name_on(client, "/looks-again/") for client in (by_password(bob), Client())] == ["bob", "nobody"]


class TestSignsInOrOut:
    def test_a_session_that_it_starts_or_ends_keeps_its_cookies(self, stack, alice, bob):
        stack(f"{HERE}signing_in_and_out")
        client = Client()
        assert [name_on(client, "/who/?in=bob"), name_on(client)] == ["bob", "bob"]
        assert [name_on(client, "/who/?in=alice"), name_on(client)] == ["alice", "alice"]
        assert [name_on(client, "/who/?out"), name_on(client)] == ["nobody", "nobody"]


class TestRows:
    """Of sessions, for which Django's own have no such table."""

    def test_a_request_leaves_one_new_row_at_most(self, ours, alice, bob):
        ours(f"{HERE}signing_in_and_out")
        client = Client()
        data = {"username": "bob", "password": PASSWORD}
        assert client.post("/log-in/?in=alice", data).content == b"bob"
        assert RefreshToken.objects.get().user == bob
        client.post("/log-out/?in=alice")
        assert [row.reason for row in RefreshToken.objects.all()] == ["signed_out"]

    def test_a_request_that_brings_its_own_user_leaves_none(self, ours, bob):
        ours(f"{HERE}api_key")
        name_on(Client(), x_api_key="bob")
        assert not RefreshToken.objects.exists()

    def test_an_expired_token_is_refreshed_beside_a_middleware_that_looks_at_the_user(self, ours, bob):
        ours(f"{HERE}tenant")
        client = by_password(bob)
        elapse(EXPIRED, client)
        assert {"__Host-access", "__Host-refresh"} <= client.get("/who/").cookies.keys()


class TestSession:
    @pytest.mark.parametrize("url", ["/keys/", "/keys-async/"])
    def test_readers_find_the_three_keys_of_a_sign_in(self, stack, bob, url):
        stack()
        client = by_password(bob)
        expected = [str(bob.pk), site.AUTHENTICATION_BACKENDS[0], bob.get_session_auth_hash()]
        assert client.get(url).json() == {"found": expected, "user": "bob"}
        assert Client().get(url).json() == {"found": [], "user": ""}
        client.post("/log-out/")
        assert client.get(url).json() == {"found": [], "user": ""}

    def test_a_middleware_that_looks_before_the_view_finds_them_too(self, stack, bob):
        stack(f"{HERE}backend_in_header")
        client = by_password(bob)
        assert client.get("/who/").headers["Backend"] == site.AUTHENTICATION_BACKENDS[0]
        assert Client().get("/who/").headers["Backend"] == "none"

    @pytest.mark.parametrize("way", SIGNING_OUT)
    def test_to_empty_it_or_to_take_out_a_key_of_the_sign_in_is_to_sign_out(self, stack, bob, way):
        stack(f"{HERE}flushes")
        client = by_password(bob)
        assert [name_on(client), name_on(client, f"/who/?{way}"), name_on(client)] == ["bob", "bob", "nobody"]

    def test_what_only_removes_its_own_key_signs_nobody_out(self, stack, bob):
        stack(f"{HERE}flushes")
        client = by_password(bob)
        for url in ("/who/?keep", "/who/?drop"):
            assert [name_on(client, url), name_on(client)] == ["bob", "bob"]

    def test_what_is_noted_between_a_sign_out_and_the_next_sign_in_stays(self, stack, alice, bob):
        stack()
        client = by_password(bob)
        assert name_on(client, "/switch/") == "alice"
        assert client.session["note"] == "of alice"

    @pytest.mark.parametrize("url", ["/basket/", "/basket-async/"])
    def test_what_it_holds_is_gone_once_the_sign_in_has_ended(self, stack, bob, url):
        stack(f"{HERE}flushes")
        client = by_password(bob)
        assert [name_on(client, "/who/?keep"), name_on(client, url)] == ["bob", "apples"]
        bob.set_password("another horse battery")
        bob.save()
        if site.MIDDLEWARE[1] == DJANGOS:
            name_on(client)  # Django notices when somebody asks who it is
        assert [name_on(client, url), name_on(client)] == ["empty", "nobody"]
        assert client.cookies[site.SESSION_COOKIE_NAME].value == ""

    def test_what_it_holds_stays_if_another_token_of_the_sign_in_is_newer(self, ours, bob):
        ours(f"{HERE}flushes")
        client = by_password(bob)
        name_on(client, "/who/?keep")
        stale = copy_of(client)
        for _ in range(2):
            elapse(EXPIRED, client, stale)
            name_on(client)
        assert stale.get("/who/?drop").status_code == 307  # a middleware has looked into the session
        assert stale.session[OWNER] == str(bob.pk)

    def test_is_not_empty_for_whoever_is_signed_in(self, stack, bob):
        stack()
        assert [name_on(client, "/is-empty/") for client in (by_password(bob), Client())] == ["False", "True"]

    def test_stores_none_of_them(self, ours, bob):
        ours()
        (client := by_password(bob)).get("/keys/")
        assert site.SESSION_COOKIE_NAME not in client.cookies


class TestExpiry:
    """How long a session lasts follows Django's own words."""

    @pytest.mark.parametrize("when", [{}, {"after": ""}])
    @pytest.mark.parametrize(("closes", "expiry", "kept", "lasts"), [
        (False, None, True, 30 * DAY),
        (True, None, False, DAY),
        (True, 3 * DAY, True, 3 * DAY),
        (False, 0, False, DAY),
        (False, 99 * DAY, True, 30 * DAY),
    ])  # fmt: skip
    def test_of_a_session(self, ours, settings, bob, when, closes, expiry, kept, lasts):
        ours()
        settings.SESSION_EXPIRE_AT_BROWSER_CLOSE = closes
        client = by_password(bob, **when, **({} if expiry is None else {"expiry": expiry}))
        row = RefreshToken.objects.get()
        assert (row.remember, (row.expires_at - row.created_at).total_seconds()) == (kept, lasts)
        client.post("/change-password/", {"password": "another horse battery"})
        row = RefreshToken.objects.live().get()
        assert (row.remember, (row.expires_at - row.created_at).total_seconds()) == (kept, lasts)
        assert bool(client.cookies["__Host-refresh"]["max-age"]) is kept
        assert name_on(client) == "bob"

    def test_an_age_of_the_sites_own_counts(self, ours, settings, bob):
        ours()
        settings.SESSION_EXPIRE_AT_BROWSER_CLOSE, settings.SESSION_COOKIE_AGE = False, 2 * DAY
        by_password(bob)
        row = RefreshToken.objects.get()
        assert (row.expires_at - row.created_at).total_seconds() == 2 * DAY

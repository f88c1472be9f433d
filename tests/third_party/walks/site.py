"""The site beside packages that sign people in: whoever has a second factor has to show it there, too."""

from base64 import b64encode
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from tests.third_party.walks.people import PASSWORD, browser, post, send

SITE = True
SETTINGS = """
INSTALLED_APPS = ["loginas", *INSTALLED_APPS, "hijack", "impersonate", "rest_framework", "rest_framework.authtoken"]
INSTALLED_APPS += ["allauth", "allauth.account", "allauth.headless"]
MIDDLEWARE = [
    *MIDDLEWARE[:-1],
    "impersonate.middleware.ImpersonateMiddleware",
    "hijack.middleware.HijackUserMiddleware",
    "sesame.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    MIDDLEWARE[-1],
]
AUTHENTICATION_BACKENDS += ["sesame.backends.ModelBackend", "allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*"]
HEADLESS_FRONTEND_URLS = {}
HEADLESS_TOKEN_STRATEGY = "tokens.contrib.allauth.TokenStrategy"
LOGINAS_REDIRECT_URL = "/accounts/profile/"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
"""
URLS = """
from rest_framework.authtoken.views import obtain_auth_token
from tests.third_party.walks import api

urlpatterns = [
    path("admin/", include("loginas.urls")),
    path("hijack/", include("hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
    path("drf/", include("rest_framework.urls")),
    path("drf/token/", obtain_auth_token),
    path("drf/me/", api.Me.as_view()),
    path("drf/me/token/", api.TokenMe.as_view()),
    path("allauth/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    *urlpatterns,
]
"""
SECOND_FACTOR = "/accounts/second-factor/"
PROFILE = "/accounts/profile/"


def walk() -> None:
    from django.contrib.auth import get_user_model

    people = get_user_model().objects
    alice = people.create_superuser("alice", "alice@example.org", PASSWORD)
    bob, carol = (people.create_user(name, f"{name}@example.org", PASSWORD) for name in ("bob", "carol"))
    for person in (alice, bob):
        set_up(person)
    for leads in (by_drfs_form, by_allauth, by_a_link_of_sesame, by_djangos_client):
        client = browser()
        leads(client, bob)
        shows_the_second_factor(client, bob)
    by_allauth_headless(bob)
    for takes_over in (by_loginas, by_hijack):
        client = an_administrator(alice)
        assert takes_over(client, carol).status_code == 302
        assert name_on(client) == "carol"
        client = an_administrator(alice)
        takes_over(client, bob)
        shows_the_second_factor(client, bob)
    by_impersonate(alice, bob)
    by_the_password_alone(bob)


def set_up(person: Any) -> None:
    from accounts.factors import totp
    from accounts.models import Authenticator

    Authenticator.objects.create(user=person, secret=totp.encrypt(totp.new_secret()))


def code_of(person: Any) -> str:
    """What the app of `person` shows, which counts as not used yet."""
    import pyotp

    from accounts.factors import totp
    from accounts.models import Authenticator

    Authenticator.objects.filter(user=person).update(last_counter=None)
    return pyotp.TOTP(totp.decrypt(Authenticator.objects.get(user=person).secret) or "").now()


def name_on(client: Any) -> str:
    """Whose profile is open in this browser; "" if nobody is signed in."""
    response = client.get(PROFILE)
    return response.wsgi_request.user.username if response.status_code == 200 else ""


def shows_the_second_factor(client: Any, person: Any) -> None:
    from tokens.models import RefreshToken

    assert name_on(client) == "" and not RefreshToken.objects.for_user(person).live().exists()
    assert send(client, SECOND_FACTOR, code=code_of(person)).status_code == 302
    assert name_on(client) == person.username
    assert "mfa" in RefreshToken.objects.for_user(person).live().get().amr.split()
    RefreshToken.objects.revoke_for([person])


def is_led(response: Any) -> Any:
    assert (response.status_code, response.headers.get("Location")) == (303, SECOND_FACTOR), response.content.decode()
    return response


def an_administrator(alice: Any) -> Any:
    client = browser()
    is_led(send(client, "/accounts/login/", username="alice", password=PASSWORD))
    send(client, SECOND_FACTOR, code=code_of(alice))
    assert client.get("/admin/").status_code == 200
    return client


def by_drfs_form(client: Any, bob: Any) -> None:
    is_led(send(client, "/drf/login/", username="bob", password=PASSWORD))
    assert client.get("/drf/me/").status_code in (401, 403)


def by_allauth(client: Any, bob: Any) -> None:
    is_led(send(client, "/allauth/login/", login="bob", password=PASSWORD))


def by_a_link_of_sesame(client: Any, bob: Any) -> None:
    from sesame.utils import get_parameters

    is_led(client.get(f"{PROFILE}?{urlencode(get_parameters(bob))}"))


def by_djangos_client(client: Any, bob: Any) -> None:
    """The client of tests passes no middleware of the site: it signs nobody in, and says so by no session."""
    from tokens.testing import Client

    test_client = Client()
    test_client.force_login(bob)
    assert name_on(test_client) == ""
    is_led(send(client, "/accounts/login/", username="bob", password=PASSWORD))


def by_allauth_headless(bob: Any) -> None:
    """Its API knows only allauth's own factors, and leads to the page."""
    from tokens.models import RefreshToken

    for kind in ("browser", "app"):
        client = browser()
        client.get("/accounts/login/")
        token = client.cookies[settings.CSRF_COOKIE_NAME].value
        url, sent = f"/_allauth/{kind}/v1/auth/login", {"username": "bob", "password": PASSWORD}
        is_led(client.post(url, sent, "application/json", headers={"x-csrftoken": token}))
        assert not RefreshToken.objects.for_user(bob).live().exists()


def by_loginas(client: Any, person: Any) -> Any:
    return post(client, f"/admin/login/user/{person.pk}/")


def by_hijack(client: Any, person: Any) -> Any:
    return post(client, "/hijack/acquire/", user_pk=person.pk)


def by_impersonate(alice: Any, bob: Any) -> None:
    """The session stays that of the administrator, who sees the pages of somebody else, and changes no factor there."""
    from accounts.models import Authenticator

    client = an_administrator(alice)
    client.handler.enforce_csrf_checks = False
    assert client.get(f"/impersonate/{bob.pk}/").status_code == 302
    assert name_on(client) == "bob"
    assert b"Confirm" in client.post("/accounts/security/authenticator/remove/").content
    assert Authenticator.objects.filter(user=bob).exists()


def by_the_password_alone(bob: Any) -> None:
    """Django REST framework's own classes ask for no second factor, which check accounts.W007 warns of."""
    client = browser()
    basic = b64encode(f"bob:{PASSWORD}".encode()).decode()
    assert client.get("/drf/me/token/", headers={"authorization": f"Basic {basic}"}).json()["name"] == "bob"
    token = client.post("/drf/token/", {"username": "bob", "password": PASSWORD}).json()["token"]
    assert client.get("/drf/me/token/", headers={"authorization": f"Token {token}"}).json()["name"] == "bob"

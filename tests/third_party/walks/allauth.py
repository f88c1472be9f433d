"""django-allauth: sign-up, log-in by name, address, mailed code, another site and a second factor; another password."""

import re
import time

from django.test import Client

from tests.third_party.walks.people import PASSWORD, browser, on, person, post, send

SETTINGS = """
INSTALLED_APPS += ["allauth", "allauth.account", "allauth.mfa"]
INSTALLED_APPS += ["allauth.socialaccount", "allauth.socialaccount.providers.dummy"]
MFA_SUPPORTED_TYPES = ["totp"]
MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_RATE_LIMITS = False
LOGIN_REDIRECT_URL = "/who/"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
TEMPLATES[0]["OPTIONS"]["context_processors"] += ["django.template.context_processors.request"]
"""
URLS = """
from django.urls import include
from tests.third_party.walks import pages

urlpatterns += [
    path("accounts/", include("allauth.urls")),
    path("who/", pages.who),
    path("closed/", pages.closed),
    path("basket/", pages.basket),
]
"""
NEW = "another horse battery"


def walk() -> None:
    from tokens.models import RefreshToken

    bob = browser()
    answer = send(
        bob, "/accounts/signup/", username="bob", email="bob@example.org", password1=PASSWORD, password2=PASSWORD
    )
    assert answer.status_code == 302, answer.content.decode()
    assert "bob" in on(bob)
    row = RefreshToken.objects.get()
    assert post(bob, "/accounts/logout/").status_code == 302
    assert "nobody" in on(bob)
    row.refresh_from_db()
    assert row.reason == "signed_out"

    assert send(bob, "/accounts/login/", login="bob@example.org", password=PASSWORD).status_code == 302
    del bob.cookies["__Host-access"]
    assert "bob" in on(bob, "/closed/")
    other = browser()
    send(other, "/accounts/login/", login="bob", password=PASSWORD, remember="on")
    assert [row.remember for row in RefreshToken.objects.live().order_by("created_at")] == [False, True]
    changed = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert send(bob, "/accounts/password/change/", **changed).status_code == 302
    assert "bob" in on(bob)
    assert other.get("/accounts/email/").status_code == 302
    by_code()
    by_another_site()
    with_a_second_factor()


def by_code() -> None:
    from django.core import mail

    carol = browser()
    person("carol")
    answer = send(carol, "/accounts/login/code/", email="carol@example.org")
    assert answer.status_code == 302, answer.content.decode()
    [code] = re.findall(r"^([A-Z0-9-]{6,9})$", mail.outbox[-1].body, re.MULTILINE)
    answer = send(carol, "/accounts/login/code/confirm/", code=code)
    assert answer.status_code == 302, answer.content.decode()
    assert "carol" in on(carol)


def by_another_site() -> None:
    from allauth.socialaccount.models import SocialAccount

    def comes_back(client: Client, process: str, uid: str) -> None:
        """Returns from the other site; what came before it is in Django's session."""
        there = send(client, f"/accounts/dummy/login/?process={process}&next=/who/").headers["Location"]
        answer = send(client, there, id=uid, username="dave", email="dave@example.org")
        assert answer.headers["Location"] == "/who/"

    dave = browser()
    send(dave, "/accounts/login/")
    post(dave, "/basket/", basket="apples")
    comes_back(dave, "login", "17")
    del dave.cookies["__Host-access"]
    comes_back(dave, "connect", "18")
    assert "dave" in on(dave, "/closed/") and on(dave, "/basket/") == "apples"
    assert {account.user.username for account in SocialAccount.objects.filter(uid__in=["17", "18"])} == {"dave"}

    carol = browser()
    send(carol, "/accounts/login/", login="carol", password=PASSWORD)
    post(carol, "/basket/", basket="pears")
    comes_back(carol, "login", "17")
    assert "dave" in on(carol) and on(carol, "/basket/") == "empty"
    assert [record["method"] for record in carol.session["account_authentication_methods"]] == ["socialaccount"]


def with_a_second_factor() -> None:
    from allauth.mfa import app_settings
    from allauth.mfa.totp.internal import auth
    from django.core.cache import cache

    secret, erin = auth.generate_totp_secret(), browser()
    auth.TOTP.activate(person("erin"), secret)

    def shows(url: str) -> str:
        cache.clear()  # each code is good once
        code = auth.format_hotp_value(auth.hotp_value(secret, int(time.time()) // app_settings.TOTP_PERIOD))
        return str(send(erin, url, code=code).headers["Location"])

    send(erin, "/accounts/login/", login="erin", password=PASSWORD)
    assert "nobody" in on(erin)
    assert shows("/accounts/2fa/authenticate/") == "/who/" and "erin" in on(erin)
    del erin.cookies["__Host-access"]
    assert shows("/accounts/2fa/reauthenticate/?next=/closed/") == "/closed/" and "erin" in on(erin, "/closed/")

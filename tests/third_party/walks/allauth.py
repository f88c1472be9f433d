"""django-allauth: sign-up, log-in by name or address, a code by mail, another password, its pages of the account."""

import re

from tests.third_party.walks.people import PASSWORD, browser, on, person, post, send

SETTINGS = """
INSTALLED_APPS += ["allauth", "allauth.account"]
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

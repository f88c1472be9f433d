"""django-sesame: a link signs its reader in, before any view."""

from urllib.parse import urlencode

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, on, person

SETTINGS = """
MIDDLEWARE += ["sesame.middleware.AuthenticationMiddleware"]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "sesame.backends.ModelBackend"]
"""
URLS = fresh.URLS


def walk() -> None:
    from sesame.utils import get_parameters

    from tokens.models import RefreshToken

    bob = person("bob")
    client = browser()
    answer = client.get(f"/who/?{urlencode(get_parameters(bob))}")
    assert answer.headers["Location"] == "/who/"
    assert "bob" in on(client)
    del client.cookies["__Host-access"]
    assert "bob" in on(client, "/closed/")
    assert RefreshToken.objects.count() == 1
    assert "nobody" in on(browser(), "/who/?sesame=wrong")

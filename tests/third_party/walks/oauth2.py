"""django-oauth-toolkit: a bearer token of its own says who is asking, for that request alone."""

from datetime import timedelta

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person

SETTINGS = """
INSTALLED_APPS += ["oauth2_provider"]
MIDDLEWARE += ["oauth2_provider.middleware.OAuth2TokenMiddleware"]
AUTHENTICATION_BACKENDS = ["oauth2_provider.backends.OAuth2Backend", "django.contrib.auth.backends.ModelBackend"]
"""
URLS = fresh.URLS


def walk() -> None:
    from django.utils import timezone
    from oauth2_provider.models import AccessToken, Application

    from tokens.models import RefreshToken

    app = Application.objects.create(client_type="confidential", authorization_grant_type="client-credentials")
    expires = timezone.now() + timedelta(hours=1)
    token = AccessToken.objects.create(user=person("bob"), application=app, token="of-bob", expires=expires, scope="")
    program = browser()
    header = {"authorization": f"Bearer {token.token}"}
    for url in ("/who/", "/closed/"):
        answer = program.get(url, headers=header)
        assert b"bob" in answer.content and not answer.cookies
    assert "nobody" in on(program)
    assert not RefreshToken.objects.exists()
    person("alice")
    alice = browser()
    log_in(alice, "alice")
    assert "alice" in on(alice)

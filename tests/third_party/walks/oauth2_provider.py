"""django-oauth-toolkit as the provider that others sign in with, as docs/howto/be-a-provider.md says."""

from tests.third_party.walks import relying_party

SITE = True
FILES = relying_party.documented("django-oauth-toolkit")


def walk() -> None:
    from oauth2_provider.models import Application

    app = Application.objects.create(
        name="Client",
        client_type="confidential",
        authorization_grant_type="authorization-code",
        client_secret=relying_party.SECRET,
        redirect_uris=relying_party.CALLBACK,
        algorithm="RS256",
    )
    relying_party.walk("/o", app.client_id, {"allow": "Authorize"}, tells_session=True)

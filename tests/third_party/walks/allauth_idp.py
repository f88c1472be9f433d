"""django-allauth's `idp.oidc` as the provider that others sign in with, as docs/howto/be-a-provider.md says."""

from tests.third_party.walks import relying_party

SITE = True
FILES = relying_party.documented("django-allauth")


def walk() -> None:
    from allauth.idp.oidc.models import Client

    client = Client(
        name="Client", redirect_uris=relying_party.CALLBACK, grant_types="authorization_code\nrefresh_token"
    )
    client.set_secret(relying_party.SECRET)
    client.save()
    relying_party.walk("/idp", client.id, {"action": "grant"}, tells_session=False)

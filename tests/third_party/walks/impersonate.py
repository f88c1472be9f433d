"""django-impersonate: a page says whom the operator stands for, and the operator stays who they are."""

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person

SETTINGS = """
INSTALLED_APPS += ["impersonate"]
MIDDLEWARE += ["impersonate.middleware.ImpersonateMiddleware"]
LOGIN_REDIRECT_URL = "/who/"
IMPERSONATE = {"REDIRECT_URL": "/who/", "REQUIRE_SUPERUSER": True}
"""
URLS = (
    fresh.URLS
    + """
urlpatterns += [path("impersonate/", include("impersonate.urls"))]
"""
)


def walk() -> None:
    from tokens.models import RefreshToken

    person("alice", admin=True)
    bob = person("bob")
    alice = browser()
    log_in(alice, "alice", "/admin/login/")
    assert alice.get(f"/impersonate/{bob.pk}/").headers["Location"] == "/who/"
    assert "bob" in on(alice) and "bob" in on(alice, "/closed/")
    del alice.cookies["__Host-access"]
    assert "bob" in on(alice)
    assert alice.get("/impersonate/stop/").status_code == 302
    assert "alice" in on(alice)
    assert RefreshToken.objects.get().user.username == "alice"

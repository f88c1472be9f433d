"""django-loginas: an administrator becomes somebody else, and themselves again."""

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person, post

SETTINGS = """
INSTALLED_APPS.insert(0, "loginas")
LOGINAS_REDIRECT_URL = "/who/"
LOGINAS_LOGOUT_REDIRECT_URL = "/who/"
"""
URLS = (
    fresh.URLS
    + """
urlpatterns.insert(0, path("admin/", include("loginas.urls")))
"""
)


def walk() -> None:
    from tokens.models import RefreshToken

    person("alice", admin=True)
    bob = person("bob")
    alice = browser()
    log_in(alice, "alice", "/admin/login/")
    assert "loginas" in on(alice, f"/admin/auth/user/{bob.pk}/change/")
    assert post(alice, f"/admin/login/user/{bob.pk}/").headers["Location"] == "/who/"
    assert "bob" in on(alice)
    assert alice.get("/admin/").status_code == 302
    assert [row.user for row in RefreshToken.objects.live()] == [bob]
    assert post(alice, "/admin/logout/").headers["Location"] == "/who/"
    assert "alice" in on(alice) and "Log out" in on(alice, "/admin/")
    assert [row.user.username for row in RefreshToken.objects.live()] == ["alice"]
    bob.refresh_from_db()
    assert bob.last_login is not None  # as the document says

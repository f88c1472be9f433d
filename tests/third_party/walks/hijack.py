"""django-hijack: the admin becomes somebody else, and themselves again."""

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person, post

SETTINGS = """
INSTALLED_APPS += ["hijack", "hijack.contrib.admin"]
MIDDLEWARE += ["hijack.middleware.HijackUserMiddleware"]
LOGIN_REDIRECT_URL = "/who/"
"""
URLS = (
    fresh.URLS
    + """
urlpatterns += [path("hijack/", include("hijack.urls"))]
"""
)


def walk() -> None:
    person("alice", admin=True)
    bob = person("bob")
    alice = browser()
    log_in(alice, "alice", "/admin/login/")
    on(alice, "/admin/auth/user/")
    assert post(alice, "/hijack/acquire/", user_pk=bob.pk, next="/who/").headers["Location"] == "/who/"
    assert "bob" in on(alice)
    assert post(alice, "/hijack/release/", next="/who/").headers["Location"] == "/who/"
    assert "alice" in on(alice) and "Log out" in on(alice, "/admin/")

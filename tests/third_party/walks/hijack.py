"""django-hijack does not work: it looks in the session for who has logged in, and by which backend."""

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
    try:
        post(alice, "/hijack/acquire/", user_pk=bob.pk, next="/who/")
    except KeyError as error:
        assert error.args == ("_auth_user_backend",)
    else:
        raise AssertionError("It does, by now: say so in docs/howto/existing-project.md.")
    assert "alice" in on(alice)

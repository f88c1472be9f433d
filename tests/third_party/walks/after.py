"""The same site, and the same database, with `tokens`: whoever was signed in still is."""

import json
from http.cookies import SimpleCookie
from pathlib import Path

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, on, post

URLS = fresh.URLS


def walk() -> None:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.contrib.sessions.models import Session

    from tokens.models import RefreshToken

    jars = json.loads(Path(settings.BASE_DIR, "jars.json").read_text())
    logged_in = dict(User.objects.values_list("username", "last_login"))
    opened = {name: with_jar(jar) for name, jar in jars.items()}
    assert "Log out" in on(opened["alice"], "/admin/")
    assert post(opened["bob"], "/closed/", text="a form of before").content == b"bob a form of before"
    for name in ("alice", "bob"):
        assert on(opened[name], "/basket/") == f"apples of {name}"
        assert not Session.objects.filter(pk=jars[name]["sessionid"]).exists()
        del opened[name].cookies["__Host-access"]
        assert name in on(opened[name])
    assert on(opened["stranger"], "/basket/") == "apples of stranger"
    rows = RefreshToken.objects.order_by("user__username").values_list("user__username", "method", "remember")
    assert list(rows) == [(name, "moved", True) for name in ("alice", "bob")]
    assert dict(User.objects.values_list("username", "last_login")) == logged_in

    assert post(opened["bob"], "/accounts/logout/").status_code == 302
    for client in (opened["bob"], with_jar(jars["bob"])):
        assert "nobody" in on(client)


def with_jar(jar: dict[str, str]):
    client = browser()
    client.cookies = SimpleCookie(jar)
    return client

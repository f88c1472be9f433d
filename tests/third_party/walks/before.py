"""A site on `django.contrib.sessions`, as Django makes it: people sign in, and keep their cookies for `after`."""

import json
from pathlib import Path

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person, post

PLAIN = True
URLS = fresh.URLS


def walk() -> None:
    from django.conf import settings

    person("alice", admin=True)
    person("bob")
    jars = {}
    for name in ("alice", "bob", "stranger"):
        client = browser()
        client.get("/admin/login/")
        if name != "stranger":
            assert log_in(client, name).headers["Location"] == "/who/"
            assert name in on(client)
        post(client, "/basket/", basket=f"apples of {name}")
        jars[name] = {name: morsel.value for name, morsel in client.cookies.items()}
    Path(settings.BASE_DIR, "jars.json").write_text(json.dumps(jars))

"""A site on `django.contrib.sessions`, as Django makes it: people sign in, and keep their cookies for `after`."""

import json
from pathlib import Path

from tests.third_party.walks import fresh
from tests.third_party.walks.people import browser, log_in, on, person, post

PLAIN = True
URLS = fresh.URLS
PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank")


def walk() -> None:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.contrib.sessions.models import Session

    person("alice", admin=True)
    for name in PEOPLE[1:]:
        person(name)
    jars = {name: signed_in(name) for name in PEOPLE}
    stranger = browser()
    stranger.get("/admin/login/")
    post(stranger, "/basket/", basket="pears")
    jars["stranger"] = jar_of(stranger)
    assert Session.objects.count() == len(jars)

    User.objects.filter(username="dave").update(is_active=False)
    erin = User.objects.get(username="erin")
    erin.set_password("another horse battery")
    erin.save()
    frank = Session.objects.get(pk=jars["frank"]["sessionid"])
    Session.objects.filter(pk=frank.pk).update(expire_date="2026-01-01T00:00Z")
    Path(settings.BASE_DIR, "jars.json").write_text(json.dumps(jars))


def signed_in(name: str) -> dict[str, str]:
    client = browser()
    assert log_in(client, name).headers["Location"] == "/who/"
    assert name in on(client)
    post(client, "/basket/", basket=f"apples of {name}")
    return jar_of(client)


def jar_of(client) -> dict[str, str]:
    return {name: morsel.value for name, morsel in client.cookies.items()}

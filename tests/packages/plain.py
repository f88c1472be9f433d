"""`python -m tests.packages.plain NAME ...`: this site as it would be on `django.contrib.sessions`. Makes these people,
signs them in by Django's own view, and prints their cookies, as JSON.

`tokens` is installed, since the people's tables are in one app with what uses it; but Django does all that is done.
"""

import json
import os
import sys

import django
from django.core.management import call_command

PASSWORD = "correct horse battery"


def main(names: list[str]) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.packages.plain_settings"
    django.setup()
    call_command("migrate", verbosity=0)
    from django.contrib.auth import get_user_model
    from django.contrib.auth.signals import user_logged_in
    from django.contrib.sessions.models import Session

    user_logged_in.disconnect(dispatch_uid="tokens")
    for name in names:
        get_user_model().objects.create_user(name, f"{name}@example.org", PASSWORD)
    jars = [signed_in(name) for name in names]
    assert Session.objects.count() == len(names)
    print(json.dumps(jars))


def signed_in(name: str) -> dict[str, str]:
    from django.test import Client

    client = Client()
    answer = client.post("/log-in/", {"username": name, "password": PASSWORD})
    assert answer.status_code == 302, answer.content.decode()
    assert client.get("/who/").content.decode() == name
    return {name: morsel.value for name, morsel in client.cookies.items()}


if __name__ == "__main__":
    main(sys.argv[1:])

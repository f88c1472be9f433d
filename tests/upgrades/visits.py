"""`python visits.py [migrate]`, in the folder of a release: what people do on its site.

It reads the jars of browsers that are signed in from standard input, sees that each still is, does once all that
people do to sign in and out, and prints all jars as JSON. It is run by the code of either release, so it knows nothing
but pages and the API.
"""

import json
import os
import re
import sys
from time import monotonic, sleep
from typing import Any

import django
from django.core.management import call_command

PASSWORD = "a bicycle for thirteen otters"
CHANGED = "fourteen otters and a tandem"
Jar = dict[str, str]


def main(arguments: list[str], jars: list[Jar]) -> list[Jar]:
    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
    sys.path.insert(1, os.getcwd())
    django.setup()
    if "migrate" in arguments:
        is_ready = browser({}).get("/readyz").status_code == 200
        assert is_ready is not lacks_migrations()  # no request is sent to code whose tables are not there
        call_command("migrate", verbosity=0)
    assert browser({}).get("/readyz").status_code == 200
    return [*(still_in(jar) for jar in jars), *comes(f"otter{len(jars)}")]


def lacks_migrations() -> bool:
    try:
        call_command("migrate", check_unapplied=True, verbosity=0)
    except SystemExit:
        return True
    return False


def browser(jar: Jar) -> Any:
    from tokens.testing import Client

    client = Client(HTTP_HOST="localhost")
    for name, value in jar.items():
        client.cookies[name] = value
    return client


def jar_of(client: Any) -> Jar:
    return {name: morsel.value for name, morsel in client.cookies.items()}


def name_in(client: Any) -> str:
    found = re.search(r"Hello, (\w+)\.", client.get("/").content.decode())
    return found[1] if found else ""


def still_in(jar: Jar) -> Jar:
    """Use the access token and the refresh token of a browser, and a page that reads the row."""
    client = browser(jar)
    assert name_in(client), "signed out with an access token"
    client.cookies.pop("__Host-access", None)
    assert name_in(client), "signed out with a refresh token"
    assert client.get("/accounts/sessions/").status_code == 200
    return jar_of(client)


def comes(name: str) -> list[Jar]:
    """Somebody signs up, signs in and out, and forgets the password. Return the jars of two of their browsers."""
    email = f"{name}@example.org"
    fields = {"username": name, "email": email, "password1": PASSWORD, "password2": PASSWORD}
    assert browser({}).post("/accounts/signup/", fields).status_code == 302
    forgetful = signed_in(name, PASSWORD)
    assert browser({}).post("/accounts/password/reset/", {"email": email}).status_code == 302
    client = browser({})
    form = client.get(reset_link(email), follow=True).redirect_chain[-1][0]
    done = client.post(form, {"new_password1": CHANGED, "new_password2": CHANGED})
    assert done.status_code == 302, done.content.decode()
    assert not name_in(forgetful), "signed in after a reset"
    leaving = signed_in(name, CHANGED)
    assert leaving.post("/accounts/logout/").status_code == 302
    assert not name_in(leaving), "signed in after signing out"
    tokens = call_api("login", {"username": name, "password": CHANGED})
    call_api("refresh", {}, authorization=f"Bearer {tokens['refresh_token']}")
    return [jar_of(signed_in(name, CHANGED)) for _ in range(2)]


def signed_in(name: str, password: str) -> Any:
    client = browser({})
    fields = {"username": name, "password": password, "remember": "on"}
    assert client.post("/accounts/login/", fields).status_code == 302
    assert name_in(client) == name
    return client


def call_api(path: str, sent: dict[str, str], **headers: str) -> dict[str, str]:
    response = browser({}).post(f"/api/auth/{path}", sent, content_type="application/json", headers=headers)
    assert response.status_code == 200, response.content
    found: dict[str, str] = response.json()
    return found


def reset_link(email: str) -> str:
    """Return the path of the link in the mail, which a thread of this process sends."""
    from django.core import mail

    until = monotonic() + 60
    while True:
        for message in getattr(mail, "outbox", []):
            if message.to == [email] and (found := re.search(r"/accounts/password/reset/\S+", message.body)):
                return found[0]
        assert monotonic() < until, "no mail came"
        sleep(0.05)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:], json.load(sys.stdin))))

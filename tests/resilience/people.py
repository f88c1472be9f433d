"""`python -m tests.resilience.people NUMBER EACH`: makes the tables and that many people, and prints their jars, as
JSON.

Each person has EACH of them. A jar holds a real sign-in, made as `login()` makes it, without a password: no time goes
into hashing.
"""

import json
import os
import sys
from typing import Any

import django
from django.core.management import call_command
from django.db import transaction


def main(number: int, each: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.resilience.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    with transaction.atomic():  # one commit for all
        jars = [jars_of(f"person{n}", each) for n in range(number)]
    print(json.dumps(jars))


def jars_of(name: str, each: int) -> list[dict[str, str]]:
    from django.contrib.auth import get_user_model

    person = get_user_model().objects.create_user(name, f"{name}@example.org")
    return [jar_of(person) for _ in range(each)]


def jar_of(person: Any) -> dict[str, str]:
    from tokens.testing import Client

    client = Client()
    client.force_login(person)
    return {name: morsel.value for name, morsel in client.cookies.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

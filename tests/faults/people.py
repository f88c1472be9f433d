"""`python -m tests.faults.people NUMBER`: makes the tables and that many people, and prints a jar for each, as JSON.

Each jar holds a real sign-in, made as `login()` makes it, without a password: no time goes into hashing.
"""

import json
import os
import sys

import django
from django.core.management import call_command
from django.db import transaction


def main(number: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.faults.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    with transaction.atomic():  # one commit for all
        jars = [jar_of(f"person{n}") for n in range(number)]
    print(json.dumps(jars))


def jar_of(name: str) -> dict[str, str]:
    from django.contrib.auth import get_user_model

    from tokens.testing import Client

    person, made = get_user_model().objects.get_or_create(username=name, email=f"{name}@example.org")
    if made:
        person.set_unusable_password()
        person.save()
    client = Client()
    client.force_login(person)
    return {name: morsel.value for name, morsel in client.cookies.items()}


if __name__ == "__main__":
    main(int(sys.argv[1]))

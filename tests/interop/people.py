"""`python -m tests.interop.people`: makes the tables, Alice, who is of the staff, and Bob; prints their passwords as
JSON, by name."""

import json

import django
from django.core.management import call_command

if __name__ == "__main__":
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    from project.demo import make_users

    print(json.dumps(make_users()))

"""The people of the whole site: Alice, who is signed in in both ways, and a crowd that can sign in.

`python -m lab.benchmarks.people NUMBER` makes them, in the database of the environment, and says how Alice is known.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from . import parts, peers, rounds

PASSWORD = "correct horse battery"  # noqa: S105  (everybody's, in a database that is gone afterwards)


def made(environment: dict[str, str], crowd: int) -> dict[str, str]:
    """Return `environment` for the whole site, with people.

    BENCHMARKS_TOKENS and BENCHMARKS_SESSION are Alice's Cookie headers, and the crowd is `person0`, `person1`, ...
    """
    site = parts.site(parts.database(environment, "site"))
    known: dict[str, str] = rounds.told("people", str(crowd), environment=site)
    return site | known


def main() -> None:
    import django

    django.setup()
    peers.create_tables(migrated=True)
    user = make(int(sys.argv[1]))
    jars = {"BENCHMARKS_TOKENS": peers.by_tokens(user)["HTTP_COOKIE"], "BENCHMARKS_SESSION": by_session(user)}
    print(json.dumps(jars))


def alice() -> Any:
    """Load the site, and return Alice, of the database of the environment."""
    import django

    django.setup()
    from accounts.models import User

    return User.objects.get(username="alice")


def make(crowd: int) -> Any:
    """Create the crowd, with one hash for all, and return Alice, whose email is confirmed.

    To hash fifty passwords would take longer than to sign fifty people in.
    """
    from django.utils import timezone

    from accounts.models import User

    alice = User.objects.create_user("alice", "alice@example.org", PASSWORD, email_verified_at=timezone.now())
    names = [f"person{place}" for place in range(crowd)]
    User.objects.bulk_create(
        User(username=name, email=f"{name}@example.org", password=alice.password) for name in names
    )
    return alice


def by_session(user: Any) -> str:
    """Sign Alice in by hand: Django's own `login()` would tell `tokens`, which is installed, of it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


if __name__ == "__main__":
    main()

"""How long the two cookies are, for each kind of key: by name and value, in bytes.

    python -m lab.benchmarks.sizes

Real cookies of kept sign-ins that were renewed once, which makes them longest. Nobody's name is longer than 150
characters, and none is worse than those of four bytes each.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import parts

ORDINARY, LONGEST = "alice", "\U00020000" * 150
KINDS = ("HS256", "ES256", "EdDSA", "RS256-2048", "RS256-3072", "RS256-4096")
PLACES = 2**20  # in a status list


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        parts.load(f"sqlite:///{folder}/db.sqlite3", folder, SECURE_SSL_REDIRECT="true")
        from django.test import override_settings

        print("| key | access | refresh | access, longest name | with a place in the status list |")
        print("|---|---|---|---|---|")
        for kind in KINDS:
            with override_settings(TOKENS_KEYS=key_file(kind, Path(folder))):
                access, refresh, others = sizes(ORDINARY)
                longest, _, _ = sizes(LONGEST)
                with override_settings(TOKENS_STATUS_LIST=PLACES):
                    listed, _, _ = sizes(LONGEST)
            shown = [f"{size:,}" for size in (access, refresh, longest, listed)]
            print("|", " | ".join((kind, *shown[:-1], "-" if kind == "HS256" else shown[-1])), "|", flush=True)
        print(f"\n{bound()}\nAll other headers of such an answer: {others:,}.")


def key_file(kind: str, folder: Path) -> str:
    """Return a file with a new key of this kind."""
    from cryptography.hazmat.primitives.asymmetric import rsa
    from jwt.algorithms import RSAAlgorithm

    from tokens.core import keyfile, keys

    alg, _, bits = kind.partition("-")
    if bits:
        made = rsa.generate_private_key(public_exponent=65537, key_size=int(bits))
        key: Any = {"alg": alg, **RSAAlgorithm.to_jwk(made, as_dict=True)}
    else:
        key = keys.generate_jwk(alg)
    keyfile.write(folder / kind, {"keys": [key]})
    return str(folder / kind)


def sizes(name: str) -> tuple[int, int, int]:
    """Return the lengths of what signs this person in: access cookie, refresh cookie, and all other headers.

    Line ends are included.
    """
    answer = renewal(name)
    both = [answer.cookies[f"__Host-{kind}"] for kind in ("access", "refresh")]
    access, refresh = (len(cookie.key) + len(cookie.value) for cookie in both)
    lines = [f"{name}: {value}" for name, value in answer.items()]
    lines += [cookie.output() for cookie in answer.cookies.values()]
    return access, refresh, sum(len(line.encode()) + 2 for line in lines) - access - refresh


def bound() -> str:
    """Return what device binding adds: the mark, by name and value, to each request, and two headers to the answers."""
    from tokens.binding import challenges, marks
    from tokens.models import RefreshToken

    row = RefreshToken.objects.get()
    mark = len("__Host-bound") + len(marks.sign(str(row.pk), 2_000_000_000))
    offer, next_challenge = len(challenges.offer(row)), len(challenges.following(row))
    return (
        f"A mark has {mark} bytes, the header that offers a registration {offer}, the next challenge {next_challenge}."
    )


def renewal(name: str) -> Any:
    from accounts.models import User
    from tokens.models import RefreshToken
    from tokens.testing import Client

    confirmed = {"email_verified_at": datetime.now(UTC)}
    person, _ = User.objects.get_or_create(username=name, email=f"{len(name)}@example.org", defaults=confirmed)
    client = Client()
    RefreshToken.objects.all().delete()
    client.force_login(person)
    RefreshToken.objects.update(remember=True, status_index=PLACES - 1)
    del client.cookies["__Host-access"]
    return client.get("/accounts/login/", secure=True)  # a redirect: pages would need the collected static files


if __name__ == "__main__":
    main()

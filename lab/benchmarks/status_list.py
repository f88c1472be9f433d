"""How large the status list is that neighbours read, and how long it takes to make: real rows, on SQLite.

    python -m lab.benchmarks.status_list [--places 1048576] [--runs 50]

Time is that of a whole request, from the first middleware to the last, without a network; the median of the runs.
What has been compressed is kept until other sessions have ended; the last column is of a list that stays the same.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import uuid4

from tokens.core import keyfile
from tokens.core import keys as signing_keys

from . import parts

LIVE = ((1_000, 0.01), (10_000, 0.01), (100_000, 0.01), (100_000, 1.0))  # sessions, and the share that has ended
URL = "/.well-known/status-list"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.benchmarks.status_list")
    parser.add_argument("--places", type=int, default=2**20)
    parser.add_argument("--runs", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder, "keys.json")
        keyfile.write(keys, {"keys": [signing_keys.generate_jwk("ES256")]})  # which neighbours can verify
        database = f"sqlite:///{folder}/db.sqlite3"
        parts.load(database, folder, TOKENS_KEYS=str(keys), TOKENS_STATUS_LIST=str(options.places))
        print(f"A list of {options.places:,} places.\n")
        print("| sessions | ended recently | the JWT, in bytes | with gzip | made anew, ms | unchanged, ms |")
        print("|---|---|---|---|---|---|")
        for live, share in LIVE:
            ended = fill(live, share, options.places)
            sizes = [len(ask(headers={"accept-encoding": coding})) for coding in ("identity", "gzip")]
            times = [1000 * median(took(anew) for _ in range(options.runs)) for anew in (True, False)]
            print("|", " | ".join(map("{:,}".format, (live, ended, *sizes))), end=" | ")
            print(" | ".join(map("{:.1f}".format, times)), "|", flush=True)


def fill(live: int, share: float, places: int) -> int:
    """Have the table hold `live` sessions, of which this share has just ended; return how many that is."""
    from django.utils import timezone

    from tokens.models import RefreshToken

    now = timezone.now()
    about = {"created_at": now, "last_used_at": now, "expires_at": now + timedelta(days=1)}
    drawn = secrets.SystemRandom().sample(range(places), live)
    RefreshToken.objects.all().delete()
    RefreshToken.objects.bulk_create(
        (RefreshToken(jti=uuid4(), status_index=place, **about) for place in drawn), batch_size=1_000
    )
    ending = drawn[: round(live * share)]
    for start in range(0, len(ending), 1_000):
        RefreshToken.objects.filter(status_index__in=ending[start : start + 1_000]).revoke("ended")
    return len(ending)


def ask(**about: Any) -> bytes:
    """Return what the list's address answers."""
    from django.test import Client

    answer: bytes = Client().get(URL, **about).content
    return answer


def took(anew: bool) -> float:
    """Return the seconds that an answer takes."""
    from tokens.contrib.status_list import compressed

    if anew:
        compressed.cache_clear()
    began = perf_counter()
    ask()
    return perf_counter() - began


if __name__ == "__main__":
    main()

"""What is counted, for Prometheus: each branch that a token took, so that false verdicts show in production; who got
in, what ended, and what was tried too often.

Each has a label with few values, and nothing is kept in a file before it is first counted: of several workers each has
files of its own, and a command that counts nothing shall leave none.
"""

from functools import partial

from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.dispatch import receiver
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from accounts.signals import attempt_throttled
from tokens.signals import list_read, rows_revoked, session_started, token_event, token_verified

disable_created_metrics()  # type: ignore[no-untyped-call]  # nobody asks when a counter was made

TOKEN_EVENTS = Counter(
    "sojourn_tokens",
    "Refresh tokens, and access tokens that had to be looked at, by what became of them.",
    ["event", "reason"],
)
SIGN_INS = Counter("sojourn_sign_ins", "Attempts to sign in: opened, refused or throttled.", ["outcome"])
REVOCATIONS = Counter("sojourn_revocations", "Sessions that were ended before their time, by why.", ["reason"])
THROTTLED = Counter("sojourn_throttled", "Attempts that have to wait, by what was tried.", ["limit"])
VERIFICATION = Histogram(
    "sojourn_verification_seconds",
    "What it took to verify a token that the process did not know yet.",
    ["kind"],
    buckets=(0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.1),
)
LAG = Gauge(
    "sojourn_revocation_lag_seconds",
    "For how long the list of what has been revoked could not be read; 0 when all is well. The worst of all workers.",
    ["list"],
    multiprocess_mode="livemax",
)


@receiver(token_event)
def count_token_event(event: str, reason: str, **kwargs: object) -> None:
    TOKEN_EVENTS.labels(event, reason).inc()


@receiver(session_started)
def count_sign_in(**kwargs: object) -> None:
    SIGN_INS.labels("opened").inc()


@receiver(user_login_failed)
def count_refusal(**kwargs: object) -> None:
    SIGN_INS.labels("refused").inc()


@receiver(attempt_throttled)
def count_throttled(limit: str, **kwargs: object) -> None:
    THROTTLED.labels(limit).inc()
    if limit == "sign-in":
        SIGN_INS.labels("throttled").inc()


@receiver(rows_revoked)
def count_revocations(reason: str, count: int, **kwargs: object) -> None:
    transaction.on_commit(partial(REVOCATIONS.labels(reason).inc, count), robust=True)


@receiver(token_verified)
def measure_verification(kind: str, seconds: float, **kwargs: object) -> None:
    VERIFICATION.labels(kind).observe(seconds)


@receiver(list_read)
def show_lag(sender: type, lag: float, **kwargs: object) -> None:
    LAG.labels("shared" if sender.__name__.startswith("Shared") else "process").set(lag)

"""What is counted: each branch that a token took, so that false verdicts show in production; and what was tried too
often. For Prometheus, and by the hour (tallies.py)."""

from typing import Any

from django.dispatch import receiver
from prometheus_client import Counter

from accounts import tallies
from tokens.signals import branch_taken

BRANCHES = Counter(
    "sojourn_tokens",
    "Refresh tokens, and access tokens that had to be looked at, by what became of them.",
    ["branch", "reason"],
)

THROTTLED = Counter("sojourn_throttled", "Attempts that have to wait, by what was tried.", ["limit"])


@receiver(branch_taken)
def count_branch(branch: str, reason: str, **kwargs: Any) -> None:
    BRANCHES.labels(branch, reason).inc()
    tallies.count(branch)

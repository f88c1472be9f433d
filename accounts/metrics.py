"""Count for Prometheus what became of tokens, sign-ins, revocations and throttled attempts.

The branch of each token is counted so that false verdicts show in production. Each metric has labels with few values,
and creates its file only when it is first counted: each of several workers has files of its own, and a command that
counts nothing should leave none. `create_series` has all values of the labels start at 0, since Prometheus sees no
increase in a series that is born with its first event.
"""

from collections.abc import Iterable
from functools import cache, partial

from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from accounts.models import Attempt, SecurityEvent
from accounts.providers import registry
from accounts.security import limits
from accounts.signals import attempt_throttled, mail_tried, provider_asked
from tokens.conf import conf
from tokens.events import Refusal, Skip, TokenEvent
from tokens.models import RefreshToken
from tokens.signals import list_read, rows_revoked, session_started, token_event, token_verified

disable_created_metrics()  # type: ignore[no-untyped-call]  # Nobody needs the creation time of a counter.

TOKEN_EVENTS = Counter(
    "sojourn_tokens",
    "Refresh tokens, and access tokens that needed a decision, by outcome.",
    ["event", "reason"],
)
SIGN_INS = Counter("sojourn_sign_ins", "Attempts to sign in: opened, refused or throttled.", ["outcome"])
SECOND_FACTORS = Counter(
    "sojourn_second_factors",
    "Second factors at sign-ins: asked, refused, spared in a trusted browser, or a code or passkey that opened it.",
    ["outcome"],
)
REVOCATIONS = Counter("sojourn_revocations", "Sessions that ended before they expired, by reason.", ["reason"])
AT_NOBODY = Counter("sojourn_attempts_at_nobody", "Attempts at accounts that do not exist, by kind.", ["kind"])
THROTTLED = Counter("sojourn_throttled", "Attempts that were throttled, by limit.", ["limit"])
PROVIDERS = Counter(
    "sojourn_providers",
    "Visits to providers, by what came of them: somebody was accepted or refused, or the provider has failed.",
    ["provider", "outcome"],
)
MAILS = Counter("sojourn_mails", "Attempts to send a mail: sent, refused, postponed or expired.", ["outcome"])
VERIFICATION = Histogram(
    "sojourn_verification_seconds",
    "Time to verify a token that the process had not seen before.",
    ["kind"],
    buckets=(0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.1),
)
LAG = Gauge(
    "sojourn_revocation_lag_seconds",
    "How long the revocation list has been unreadable, or 0. The worst of all workers.",
    ["list"],
    multiprocess_mode="livemax",
)


@cache
def create_series() -> None:
    """Let each value that a label can have be there before its first event."""
    stored = [reason for reason in RefreshToken.Reason if reason != RefreshToken.Reason.EXPIRED]
    every = [limit for limit in vars(limits).values() if isinstance(limit, limits.Limit)]
    reasons: dict[TokenEvent, Iterable[str]] = {
        TokenEvent.DEAD: ("", *RefreshToken.Reason),
        TokenEvent.PROOF_REFUSED: Refusal,
        TokenEvent.PROOF_SKIPPED: Skip,
    }
    for event in TokenEvent:
        for reason in reasons.get(event, ("",)):
            TOKEN_EVENTS.labels(event.value, str(reason))
    for counter, values in (
        (SIGN_INS, ["opened", "refused", "throttled"]),
        (SECOND_FACTORS, ["asked", "refused", "spared", "code", "passkey", "passkey alone"]),
        (REVOCATIONS, stored),
        (AT_NOBODY, [SecurityEvent.Kind.SIGN_IN_FAILED, SecurityEvent.Kind.RESET_ASKED]),
        (THROTTLED, ["hashing", *(limit.name for limit in every)]),
        (THROTTLED, [f"{limit.name}, whole site" for limit in every if limit.site]),
        (MAILS, ["sent", "refused", "postponed", "expired"]),
        (VERIFICATION, ["access", "refresh"]),
        (LAG, ["shared" if conf.revocation_cache else "process"]),
    ):
        for value in values:
            counter.labels(str(value))
    for provider in registry.providers():
        for outcome in ("accepted", "refused", "failed"):
            PROVIDERS.labels(provider.name, outcome)


@receiver(token_event)
def count_token_event(event: str, reason: str, **kwargs: object) -> None:
    """Count what became of a token."""
    TOKEN_EVENTS.labels(event, reason).inc()


@receiver(session_started)
def count_sign_in(row: RefreshToken, **kwargs: object) -> None:
    """Count a successful sign-in, and the second factor that it took."""
    SIGN_INS.labels("opened").inc()
    amr = set(row.amr.split())
    if row.acr:
        SECOND_FACTORS.labels("passkey" if "pwd" in amr else "passkey alone").inc()
    elif outcome := "code" if "mfa" in amr else "spared" if "rba" in amr else "":
        SECOND_FACTORS.labels(outcome).inc()


@receiver(post_save, sender=Attempt)
def count_attempt(**kwargs: object) -> None:
    """Count a sign-in that waits for a second factor."""
    SECOND_FACTORS.labels("asked").inc()


@receiver(user_login_failed)
def count_refusal(**kwargs: object) -> None:
    """Count a sign-in with wrong credentials."""
    SIGN_INS.labels("refused").inc()


@receiver(post_save, sender=SecurityEvent)
def count_event(instance: SecurityEvent, **kwargs: object) -> None:
    """Count an attempt at no account, of which no row is kept, and a wrong second factor."""
    if instance.user_id is None and instance.actor_id is None:
        AT_NOBODY.labels(instance.kind).inc()
    if instance.kind == SecurityEvent.Kind.SECOND_FACTOR_FAILED:
        SECOND_FACTORS.labels("refused").inc()


@receiver(attempt_throttled)
def count_throttled(limit: str, **kwargs: object) -> None:
    """Count an attempt that has to wait."""
    THROTTLED.labels(limit).inc()
    if limit == "sign-in":
        SIGN_INS.labels("throttled").inc()


@receiver(rows_revoked)
def count_revocations(reason: str, count: int, **kwargs: object) -> None:
    """Count revoked sessions once the transaction is committed."""
    transaction.on_commit(partial(REVOCATIONS.labels(reason).inc, count), robust=True)


@receiver(provider_asked)
def count_provider(name: str, outcome: str, **kwargs: object) -> None:
    """Count what came of a visit to a provider."""
    PROVIDERS.labels(name, outcome).inc()


@receiver(mail_tried)
def count_mail(outcome: str, **kwargs: object) -> None:
    """Count an attempt to send a mail."""
    MAILS.labels(outcome).inc()


@receiver(token_verified)
def measure_verification(kind: str, seconds: float, **kwargs: object) -> None:
    """Record how long it took to verify a token."""
    VERIFICATION.labels(kind).observe(seconds)


@receiver(list_read)
def show_lag(sender: type, lag: float, **kwargs: object) -> None:
    """Show for how long the revocation list could not be read."""
    LAG.labels("shared" if sender.__name__.startswith("Shared") else "process").set(lag)

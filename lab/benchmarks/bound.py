"""What it costs that a session is bound to a device, on PostgreSQL: on a page, at a refresh, and for each proof.

`python -m lab.benchmarks.bound` is the contender. Browsers sign their proofs before the clock starts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import time
from typing import Any

from . import parts, peers, rounds, signed_in
from .report import Figure, Goal, Line, at_most, micro

TITLE = "Device binding"
NOTE = "In process, on PostgreSQL; the ratio is to the same without a key, that of a proof to a refresh without one."
STACK = peers.Stack(
    "postgresql",
    ("tokens",),
    (),
    {
        "SESSION_ENGINE": f"{peers.ENGINES}.signed_cookies",
        "ROOT_URLCONF": "lab.benchmarks.bound_urls",
        "TOKENS_BOUND_LIFETIME": 600,
    },
)


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    own = parts.database(environment, "bound")
    found = rounds.compare([rounds.Contender("bound", environment=own)], effort.rounds, effort.times)
    page, refresh = found["page unbound"], found["refresh unbound"]
    lines = [
        Line("A signed-in request", micro(found["page"]), found["page"] / page, at_most(1.1)),
        Line("A refresh", micro(found["refresh"]), found["refresh"] / refresh),
        *(Line(f"A proof, {alg}", micro(found[alg]), found[alg] / refresh) for alg in ALGORITHMS),
        *(Line(f"… its signature, {alg}", micro(found[f"signature {alg}"])) for alg in ALGORITHMS),
        Line("Statements of a refresh beside a mark", Figure(found["queries of a refresh"], ""), goal=at_most(2, "")),
        Line("Statements of a proof", Figure(found["queries of a proof"], ""), goal=at_most(2, "")),
    ]
    return Goal(TITLE, NOTE, lines)


ALGORITHMS = ("ES256", "RS256")


def main() -> None:
    peers.configure(STACK)
    peers.create_tables()
    user = peers.alice()
    unbound, *bound = _Browser(user), *(_Browser(user, alg) for alg in ALGORITHMS)
    handler, bare = signed_in.handler((peers.SESSIONS, peers.TOKENS)), signed_in.handler(())

    def page(headers: dict[str, str]) -> Callable[[], bytes]:
        return lambda: signed_in.ask(handler, "/pages/hello/", headers)

    def proof(browser: _Browser, times: int) -> Callable[[], bytes]:
        proofs = iter(browser.proofs(times))
        return lambda: signed_in.ask(handler, "/device-binding/refresh", next(proofs))

    def cost(act: Callable[[], bytes], times: int) -> float:
        floor, whole = rounds.above(lambda: signed_in.ask(bare, "/pages/bare/"), act, times)
        return whole - floor

    def measure(times: int) -> rounds.Figures:
        answer = {}
        for name, browser in (("", bound[0]), (" unbound", unbound)):
            answer[f"page{name}"] = cost(page(browser.jar("access", "refresh", "bound")), times)
            answer[f"refresh{name}"] = cost(page(browser.jar("refresh", "bound")), times)
        for browser in bound:
            answer[browser.alg] = cost(proof(browser, times), times)
            answer[f"signature {browser.alg}"] = rounds.least(browser.verified(), times)
        return answer | counts

    counts = {
        "queries of a refresh": _statements(page(bound[0].jar("refresh", "bound")), b"alice"),
        "queries of a proof": _statements(proof(bound[0], 3), b"session_identifier"),
    }
    rounds.serve(measure)


class _Browser:
    """A jar, and with `alg` a key that the session is bound to."""

    def __init__(self, user: Any, alg: str = "") -> None:
        from django.utils import timezone

        from tokens.binding import marks
        from tokens.models import RefreshToken
        from tokens.testing import Client

        self.alg = alg
        client = Client()
        client.force_login(user)
        self.row = RefreshToken.objects.latest("created_at")
        self.cookies = {kind: client.cookies[f"__Host-{kind}"].value for kind in ("access", "refresh")}
        self.cookies["bound"] = ""
        if alg:
            self._make_key()
            RefreshToken.objects.bind(self.row, self._public(), timezone.now())
            RefreshToken.objects.prove(self.row, timezone.now())
            self.cookies["bound"] = marks.sign(str(self.row.pk), int(time()) + 600)

    def jar(self, *kinds: str) -> dict[str, str]:
        return {"HTTP_COOKIE": "; ".join(f"__Host-{kind}={self.cookies[kind]}" for kind in kinds if self.cookies[kind])}

    def proofs(self, number: int) -> list[dict[str, str]]:
        """Return so many proofs, for the WSGI environment, each later than the one before by the row's own clock."""
        from tokens.binding import challenges

        self.row.refresh_from_db()
        made = []
        for _ in range(number + number // 10 + 10):
            self.row.bound_proved_at += timedelta(seconds=1)
            challenge = challenges.following(self.row).split('"')[1]
            made.append(
                {
                    "REQUEST_METHOD": "POST",
                    "HTTP_SEC_SECURE_SESSION_ID": f'"{self.row.pk}"',
                    "HTTP_SECURE_SESSION_RESPONSE": self._signed(challenge),
                }
            )
        return made

    def verified(self) -> Callable[[], object]:
        """Return what verifies the signature of a proof, and all that is asked of its form."""
        from tokens.core import proofs

        proof, key = self._signed("a challenge"), self.row.bound_key
        return lambda: proofs.read_refresh(proof, key)

    def _make_key(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        es256 = self.alg == "ES256"
        self.key: Any = ec.generate_private_key(ec.SECP256R1()) if es256 else rsa.generate_private_key(65537, 2048)

    def _public(self) -> str:
        from jwt.algorithms import get_default_algorithms

        from tokens.core import proofs

        jwk = get_default_algorithms()[self.alg].to_jwk(self.key.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        return proofs.read_registration(self._signed("a challenge", jwk=jwk)).key

    def _signed(self, challenge: str, **header: Any) -> str:
        import jwt

        return jwt.encode({"jti": challenge}, self.key, self.alg, headers={"typ": "dbsc+jwt", **header})


def _statements(ask: Callable[[], bytes], said: bytes) -> int:
    """Return the least of three counts: once a second, a request also asks what is revoked. Each has to say `said`."""
    counted = [rounds.counted(ask) for _ in range(3)]
    if not all(said in body for body, _ in counted):
        raise SystemExit(f"A bound browser was answered {counted}.")
    return min(len(statements) for _, statements in counted)


if __name__ == "__main__":
    main()

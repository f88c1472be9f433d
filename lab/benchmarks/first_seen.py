"""What a token costs that the process has not seen before, beside PyJWT's decode of the same token.

`python -m lab.benchmarks.first_seen` is a contender.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

from . import floors, peers, rounds
from .report import Goal, Line, at_most, micro

TITLE = "A token that was not seen before"
NOTE = "From the cookie's value to the claims and the person, strictly; the ratio is to PyJWT's decode alone."
TOKENS = 20  # in turn; what is remembered of them is forgotten before each turn


def goal(environment: dict[str, str], effort: rounds.Effort) -> Goal:
    found = rounds.compare([rounds.Contender("first_seen", environment=environment)], effort.rounds, effort.times)
    lines = []
    for peer in peers.OURS:
        seconds, floor = found[peer.name], found[f"PyJWT, {peer.name}"]
        lines.append(Line(peer.name, micro(seconds), seconds / floor, at_most(1.5)))
        lines.append(Line(f"Floor: PyJWT's decode alone{peer.name.removeprefix('Sojourn')}", micro(floor)))
    return Goal(TITLE, NOTE, lines, "first-seen")


def main() -> None:
    peers.configure(peers.TOKENS_STACK)
    peers.create_tables()
    from django.test import override_settings

    user = peers.alice()

    def measure(times: int) -> rounds.Figures:
        answer: rounds.Figures = {}
        for peer in peers.OURS:
            with override_settings(**peer.settings):
                answer[f"PyJWT, {peer.name}"], answer[peer.name] = _both(user, times)
        return answer

    rounds.serve(measure)


def _both(user: Any, times: int) -> tuple[float, float]:
    from tokens import verification
    from tokens.conf import conf

    key = conf.key_ring.current
    tokens = cycle(_tokens(user))
    theirs, ours = [], []
    for _ in range(max(1, times // TOKENS)):
        verification.forget()
        theirs.append(rounds.clocked(lambda: floors.pyjwt(next(tokens), key.verifier, key.alg), TOKENS))
        ours.append(rounds.clocked(lambda: verification.verify_access(next(tokens)), TOKENS))
    return min(theirs), min(ours)


def _tokens(user: Any) -> list[str]:
    from tokens import issuing
    from tokens.conf import conf
    from tokens.core import jwt
    from tokens.models import RefreshToken

    row = RefreshToken.objects.filter(user=user).first() or RefreshToken.objects.start(user)
    ring, issuer, audience = conf.key_ring, conf.issuer, conf.audience
    claims = (issuing.access_for(row, issuing.root_refresh(row), new=False) for _ in range(TOKENS))
    return [jwt.write_access(each, ring=ring, issuer=issuer, audience=audience) for each in claims]


if __name__ == "__main__":
    main()

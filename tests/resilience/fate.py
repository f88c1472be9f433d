"""What the network does to one request."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Fate:
    """`before` and `after` are seconds that request and response take; `lost` says which of them never arrives
    ("request", "response"), or that the connection breaks off under the request ("connection")."""

    before: float = 0
    after: float = 0
    lost: str = ""


FAIR = Fate()


def seeded(seed: int) -> Random:
    """Chance that can be repeated."""
    return Random(seed)  # noqa: S311


def draw(random: Random, longest: float, losses: float) -> Fate:
    """One of a bad network, where request and response take up to `longest` seconds each, so that they overtake one
    another, and a share of `losses` never arrives."""
    lost = random.choice(("request", "response", "connection")) if random.random() < losses else ""
    return Fate(random.uniform(0, longest), random.uniform(0, longest), lost)

"""Keys rotate while people come and go at the site and its neighbours, and nobody notices."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from time import monotonic, sleep, time

import pytest

from tests.interop.forgeries import real_of
from tests.interop.home import LOOK_EVERY, Home
from tests.interop.service import Service
from tests.security.forging import part
from tokens.core import keys

pytestmark = [pytest.mark.once, pytest.mark.slow]

PEOPLE = ["alice", "bob", "alice", "bob"]
TAKEN_UP = 3 * LOOK_EVERY  # seconds after which every process of the site has the new keys, be the machine busy or not
PAUSE = 5.2  # seconds; a neighbour waits for five before it fetches keys for another kid that it does not know


@dataclass
class Life:
    """What people met until now: the answers of neighbours, and the kids of new tokens by when they were asked for."""

    home: Home
    services: dict[str, Service]
    end: Event = field(default_factory=Event)
    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    minted: list[tuple[float, str]] = field(default_factory=list)

    def live(self, name: str) -> None:
        """Signs in; then goes to both neighbours and renews the tokens, over and over."""
        pair = self.home.sign_in(name)
        while not self.end.wait(0.05):
            for neighbour, service in self.services.items():
                path = "/staff" if name == "alice" else "/me"
                self.answers[neighbour, path, service.get(path, pair["access"]).status] += 1
            requested_at = monotonic()
            pair = self.home.ask("auth/refresh", pair["refresh"])
            self.minted.append((requested_at, kid_of(pair["access"])))

    def kids(self, since: float) -> set[str]:
        return {kid for requested_at, kid in self.minted if requested_at >= since}

    def fetched(self, document: str) -> list[int]:
        return [service.fetched(document) for service in self.services.values()]


@contextmanager
def lived(home: Home, services: dict[str, Service]) -> Iterator[Life]:
    """People are under way, each in a thread; an error of theirs is raised at the end."""
    life = Life(home, services)
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        people = [pool.submit(life.live, name) for name in PEOPLE]
        try:
            until(lambda: len(life.answers) >= 4)
            yield life
        finally:
            life.end.set()
    for person in people:
        person.result()


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = monotonic() + seconds
    while not true():
        assert monotonic() < end
        sleep(0.02)


def kid_of(token: str) -> str:
    return json.loads(part(token, 0))["kid"]


def rotate(life: Life) -> str:
    """Rotates the keys while people go on. Returns the kid that signs from then on."""
    new = life.home.key(keys.NEXT)["kid"]
    life.home.tokenkeys("rotate")
    assert life.home.key()["kid"] == new
    taken_up = monotonic() + TAKEN_UP
    until(lambda: len(life.kids(taken_up)) > 0 and monotonic() > taken_up + LOOK_EVERY)
    assert life.kids(taken_up) == {new}
    return new


def test_nobody_notices_two_rotations_and_a_retirement(settled, beside):
    home = settled("ES256", TOKENS_ACCESS_LIFETIME="15")
    services = beside(home.issuer, home.alg)
    real = real_of(home.sign_in("bob"), home.key())
    leaked = real.signed(exp=int(time()) + 900)  # whoever has a key makes what they want of it
    with lived(home, services) as life:
        began = monotonic()
        rotate(life)
        assert life.fetched("jwks.json") == [1, 1]  # the key was known before it signed
        sleep(max(0, began + PAUSE - monotonic()))
        rotate(life)  # so soon that its key is not known: with a period between them, it would be
        assert life.fetched("jwks.json") == [2, 2]
        fetched_by = monotonic()
        assert both(services, leaked) == [200, 200]
        home.tokenkeys("retire", real.key.kid)
        sleep(max(TAKEN_UP, fetched_by + PAUSE - monotonic()))
        both(services, real.signed({"kid": "of nobody's"}))
        assert life.fetched("jwks.json") == [3, 3]
        assert both(services, leaked) == [401, 401]
    assert {status for _, _, status in life.answers} == {200}
    assert len(life.kids(0)) == 3
    assert all(fetched > 1 for fetched in life.fetched("status-list"))  # its ttl is a second


def both(services: dict[str, Service], token: str) -> list[int]:
    return [service.get("/me", token).status for service in services.values()]

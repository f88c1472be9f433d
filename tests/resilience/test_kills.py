"""kill -9 in the middle of refreshes: of workers, of the whole server, of PostgreSQL."""

import asyncio
from random import Random

import pytest

from tests.resilience import database
from tests.resilience.browser import ACCESS, Browser
from tests.resilience.fate import seeded
from tests.resilience.server import Server

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.alone]

ROUNDS = {"worker": 40, "server": 3, "database": 3}
BROWSERS = 8
LIFETIME = 18  # seconds; what is used six seconds after it was made is confirmed


@pytest.fixture(scope="module")
def postgres():
    with database.mortal() as server:
        yield server


def test_no_session_is_lost_and_no_row_broken(installed, postgres, tell):
    site = installed(postgres.url, TOKENS_ACCESS_LIFETIME=str(LIFETIME))
    jars = site.jars(BROWSERS)
    server = site.serve(preload=True)
    browsers = [Browser(server.port, jar) for jar in jars]
    random = seeded(5)
    faults = random.sample(list(ROUNDS), counts=ROUNDS.values(), k=sum(ROUNDS.values()))
    asyncio.run(rounds(browsers, server, postgres, faults, random))

    branches = site.branches()
    lost = sum(browser.lost for browser in browsers)
    longest = max(browser.longest for browser in browsers)
    tell(
        f"kill -9, {ROUNDS}: {lost} requests without a good answer, longest round trip {longest:.2f} s, "
        f"sessions lost 0 of {BROWSERS}; {dict(+branches)}"
    )
    assert lost > sum(ROUNDS.values()) / 2  # or nothing was in the middle of anything
    assert branches["child"] >= BROWSERS
    assert branches["confirmed_by_refresh"]
    assert not branches["reused"] + branches["behind"]
    assert not any(browser.deleted for browser in browsers)
    rows = database.execute(postgres.url, "SELECT id::text, generation, jti::text, revoked_at FROM tokens_refreshtoken")
    assert len(rows) == BROWSERS
    actor_id = {sid: (generation, jti, revoked_at) for sid, generation, jti, revoked_at in rows}
    for browser in browsers:
        check(actor_id[browser.claims()["sid"]], browser.claims())


async def rounds(
    browsers: list[Browser], server: Server, postgres: database.Postgres, faults: list[str], random: Random
) -> None:
    """In each, every browser refreshes twice at once, something is killed, and everybody asks until they are served."""
    for fault in faults:
        for browser in browsers:
            browser.jar.pop(ACCESS, None)  # as in a browser that was closed: only a refresh can help
        worker = await oldest_worker(server)
        asking = [asyncio.create_task(refreshed(browser)) for browser in browsers for _ in range(2)]
        await asyncio.sleep(random.uniform(0, 0.05))
        await strike(fault, worker, server, postgres)
        await asyncio.gather(*asking)
    for browser in browsers:
        browser.close()


async def refreshed(browser: Browser) -> None:
    answer = await browser.insist("/accounts/profile/")
    assert answer.signed_in, answer


async def oldest_worker(server: Server) -> int:
    """It is sure to serve, and there is none at once after the master was killed."""
    while not (workers := server.workers()):
        await asyncio.sleep(0.02)
    return workers[0]


async def strike(fault: str, worker: int, server: Server, postgres: database.Postgres) -> None:
    if fault == "worker":
        server.kill_worker(worker)
    elif fault == "server":
        server.kill()
        server.start()
    else:
        postgres.kill()
        await asyncio.to_thread(postgres.start)


def check(row: tuple, claims: dict) -> None:
    """The row has confirmed what the browser holds, or the parent of that."""
    generation, jti, revoked_at = row
    assert revoked_at is None
    assert claims["gen"] - 1 <= generation <= claims["gen"]
    assert (jti == claims["jti"]) == (generation == claims["gen"])

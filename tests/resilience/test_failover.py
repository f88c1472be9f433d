"""The primary is killed under load, and a standby takes over that has not heard of the last writes."""

import asyncio
import re
from collections.abc import Callable
from time import time
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests import patroni
from tests.cluster.crowd import Crowd
from tests.resilience import database
from tests.resilience.browser import ACCESS, Browser
from tokens.core.rotation import settled

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(300)]

PEOPLE = 8
LIFETIME = 12  # seconds; what is used four seconds after it was made is confirmed
GENERATIONS = "SELECT id::text, generation FROM tokens_refreshtoken"
BEHIND = re.compile(r'^sojourn_tokens_total\{.*event="behind".*\} ([1-9]\d*)', re.M)


def test_nobody_is_signed_out_by_a_failover_that_loses_writes(installed, tmp_path, tell):
    (tmp_path / "metrics").mkdir()
    with database.pair() as (primary, standby):
        both = ",".join(quote(str(server.folder), safe="") for server in (primary, standby))
        site = installed(
            f"postgres://postgres@{both}/postgres?target_session_attrs=read-write",
            TOKENS_ACCESS_LIFETIME=str(LIFETIME),
            TOKENS_REVOCATION_GRACE="300",
            METRICS_TOKEN="let-me-read",
            PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "metrics"),
        )
        jars = site.jars(PEOPLE)
        server = site.serve()
        crowd = Crowd([Browser(server.port, jar) for jar in jars])
        asyncio.run(fail_over(crowd, primary, standby))

        nobody_is_signed_out(crowd, tell)
        branches = site.branches()
        assert branches["behind"] > PEOPLE / 2  # all but those that were just asking with an access token
        assert not branches["reused"] + branches["probed"]
        asking = Request(f"http://127.0.0.1:{server.port}/metrics", headers={"Authorization": "Bearer let-me-read"})
        with urlopen(asking, timeout=60) as answer:
            assert BEHIND.search(answer.read().decode())  # which SojournDatabaseLostWrites watches


def test_patroni_promotes_the_standby_and_the_site_finds_it(installed, tell):
    with patroni.pair() as (leader, standby):
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in (leader, standby))
        site = installed(
            f"postgres://postgres@{hosts}/postgres?target_session_attrs=read-write",
            TOKENS_REVOCATION_GRACE="300",
        )
        jars = site.jars(PEOPLE)
        server = site.serve()
        crowd = Crowd([Browser(server.port, jar) for jar in jars])
        asyncio.run(lose(leader, crowd))
        assert standby.recovers() is False
    nobody_is_signed_out(crowd, tell)


async def lose(leader: patroni.Node, crowd: Crowd) -> None:
    async with crowd.about():
        await crowd.rounds(3)
        with crowd.may_fail():
            await asyncio.to_thread(leader.kill)
            await crowd.told_to_wait()
            for browser in crowd.browsers:
                browser.jar.pop(ACCESS, None)  # so that a good answer comes from the new leader
            await crowd.rounds(1)
        await crowd.rounds(4)


def nobody_is_signed_out(crowd: Crowd, tell: Callable[[str], None]) -> None:
    trouble = [visit for visit in crowd.visits if not visit.is_good]
    tell(f"{len(crowd.visits)} requests, {len(trouble)} told to wait")
    assert all(visit.is_excused and visit.is_kind for visit in trouble), trouble
    assert not crowd.strangers
    assert not any(browser.deleted for browser in crowd.browsers)


async def fail_over(crowd: Crowd, primary: database.Postgres, standby: database.Postgres) -> None:
    async with crowd.about():
        await crowd.rounds(3)
        await asyncio.to_thread(standby.cut_off)
        while not await asyncio.to_thread(all_are_ahead, primary, standby):
            await crowd.rounds(1)
        with crowd.may_fail():
            primary.kill()
            await crowd.told_to_wait()
            while not all(settled(browser.claims()["jti"], time(), LIFETIME / 3) for browser in crowd.browsers):
                await crowd.told_to_wait()
            for browser in crowd.browsers:
                browser.jar.pop(ACCESS, None)  # the next request of each refreshes
            await asyncio.to_thread(standby.promote)
        while not await asyncio.to_thread(all_have_caught_up, standby, crowd):
            await crowd.rounds(1)


def all_are_ahead(primary: database.Postgres, standby: database.Postgres) -> bool:
    """Return whether the standby lacks more than one generation of every session."""
    known = dict(database.execute(standby.url, GENERATIONS))
    return all(generation > known[sid] + 1 for sid, generation in database.execute(primary.url, GENERATIONS))


def all_have_caught_up(standby: database.Postgres, crowd: Crowd) -> bool:
    """Return whether the new primary has confirmed what everybody's browser holds, or the parent of that."""
    confirmed = dict(database.execute(standby.url, GENERATIONS))
    claims = [browser.claims() for browser in crowd.browsers]
    return all(confirmed[held["sid"]] >= held["gen"] - 1 for held in claims)

"""Journeys that hop from machine to machine; and what people notice when a part of it all is gone."""

import asyncio
import re
from time import monotonic
from urllib.parse import urlencode

import pytest
from django.contrib.auth.hashers import make_password

from tests.cluster import cluster
from tests.cluster.crowd import Crowd
from tests.conftest import PASSWORD
from tests.resilience import database
from tests.resilience.browser import ACCESS, Browser

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(600)]

PEOPLE = 12
TRAVELLER = "person12"  # who comes after them
GIVE_PASSWORD = "UPDATE accounts_user SET password = '{}' WHERE username = 'person12'"
LIVE = "SELECT id::text FROM tokens_refreshtoken WHERE revoked_at IS NULL"
SESSIONS = "/accounts/sessions/"


@pytest.fixture(scope="module")
def postgres():
    with database.mortal() as server:
        yield server


@pytest.fixture(scope="module")
def site(postgres):
    with cluster.running(PEOPLE + 1, postgres.url) as running:
        yield running


@pytest.fixture
def crowd(site, tell):
    """Everybody but the traveller. Afterwards nobody has lost anything, in any test."""
    crowd = Crowd([Browser(site.port, dict(jar)) for jar in site.jars[:PEOPLE]])
    yield crowd
    longest = max(browser.longest for browser in crowd.browsers)
    trouble = [visit for visit in crowd.visits if not visit.is_good]
    tell(f"{len(crowd.visits)} requests, {len(trouble)} without a good answer, longest {longest:.2f} s, 0 signed out")
    assert all(visit.is_excused and visit.is_kind for visit in trouble), trouble
    assert not crowd.strangers
    assert not any(browser.deleted for browser in crowd.browsers)
    live = {sid for (sid,) in database.execute(site.database_url, LIVE)}
    assert {browser.claims()["sid"] for browser in crowd.browsers} <= live
    branches = site.site.branches()
    assert branches["child"] and not branches["reused"] + branches["behind"] + branches["probed"]


def test_a_sign_in_at_one_is_refreshed_at_another_and_ended_at_a_third(site, tell):
    hashed = make_password(PASSWORD, hasher="pbkdf2_sha256")
    database.execute(site.database_url, GIVE_PASSWORD.format(hashed))
    seconds = asyncio.run(hop(site))
    tell(f"A session ended at one of three machines was out at all of them after {seconds:.2f} s")


async def hop(site) -> float:
    """Return how long after the end of its session a browser was a stranger at every machine."""
    here, there = Browser(site.port, {}), Browser(site.port, {})
    await all_in_turn(here)
    for browser in (there, here):
        page = await browser.get("/accounts/login/")
        signed_in = await send(browser, page, "/accounts/login/", username=TRAVELLER, password=PASSWORD, remember="on")
        assert signed_in.status == 302, signed_in.text
    here.jar.pop(ACCESS)
    page = await here.get(SESSIONS)
    assert page.signed_in
    ended = await send(here, page, f"{SESSIONS}end-others/")
    assert ended.status == 302
    assert (await there.get(SESSIONS)).status == 302  # at once where the account is guarded
    assert len({signed_in["x-machine"], page["x-machine"], ended["x-machine"]}) == 3
    done = monotonic()
    strangers: set[str] = set()
    while strangers != set(cluster.NAMES):
        answer = await there.get("/")
        strangers = strangers - {answer["x-machine"]} if answer.signed_in else strangers | {answer["x-machine"]}
    assert (await here.get("/")).signed_in
    for browser in (here, there):
        browser.close()
    return monotonic() - done


async def all_in_turn(browser: Browser) -> None:
    """Until nginx hands its requests to all machines, one after the other: it leaves one alone that was away."""
    last = [""]
    while set(last[-3:]) != set(cluster.NAMES):
        last.append((await browser.get("/accounts/login/"))["x-machine"])
        await asyncio.sleep(0.01)


async def send(browser: Browser, page, path: str, **fields: str):
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    return await browser.request("POST", path, urlencode({**fields, "csrfmiddlewaretoken": token}))


def test_postgresql_may_be_restarted_under_load(site, postgres, crowd):
    async def scene() -> None:
        async with crowd.about():
            await crowd.rounds(3)
            with crowd.may_fail():
                await asyncio.to_thread(postgres.stop)
                await crowd.told_to_wait()
                await asyncio.to_thread(postgres.start)
            await crowd.rounds(4)

    asyncio.run(scene())


def test_redis_may_be_flushed_and_gone_under_load(site, crowd):
    async def scene() -> None:
        async with crowd.about():
            await crowd.everywhere(cluster.NAMES)  # whoever has never read the list takes no token unseen
            await crowd.rounds(3)
            with site.redis.client() as client:
                client.flushall()
            await crowd.rounds(4)
            await asyncio.to_thread(site.redis.stop)
            await crowd.rounds(4)
            await asyncio.to_thread(site.redis.start)
            await crowd.rounds(4)

    asyncio.run(scene())


def test_a_machine_that_is_killed_under_load_is_missed_by_nobody(site, crowd):
    async def scene() -> None:
        async with crowd.about():
            await crowd.everywhere(cluster.NAMES)
            await crowd.rounds(3)
            with crowd.may_fail():
                await asyncio.to_thread(site.machines[1].kill)
            killed = len(crowd.visits)
            await crowd.rounds(4)
            assert {visit.machine for visit in crowd.visits[killed + PEOPLE :]} - {""} == {"one", "three"}
            site.machines[1].start()
            await asyncio.to_thread(site.machines[1].wait)
            await crowd.rounds(2)

    asyncio.run(scene())

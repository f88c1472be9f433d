"""What a Prometheus reads, and nobody else."""

import pytest

from tests.tokens.clock import copy_of, elapse
from tokens.testing import Client

EXPIRED = 16 * 60


@pytest.fixture
def read(settings):
    settings.METRICS_TOKEN = "let-me-read"

    def read():
        response = Client().get("/metrics", headers={"authorization": "Bearer let-me-read"})
        assert response.status_code == 200 and not response.cookies
        lines = [line.rpartition(" ") for line in response.content.decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, _, value in lines}

    return read


def test_each_branch_is_counted(bob, sign_in, read):
    browser = Client()
    sign_in(browser, bob)
    old = copy_of(browser)
    before = read()
    for _ in range(2):
        elapse(EXPIRED, browser, old)
        browser.get("/")
    old.get("/", follow=True)
    after = read()
    grown = {name: after[name] - before.get(name, 0) for name in after if "sojourn_tokens_total" in name}
    counted = {name.split('"')[1]: grown[name] for name in grown if grown[name]}
    assert counted == {"child": 1, "confirmed_by_refresh": 1, "probed": 1, "reused": 1}


def test_whatever_has_to_wait_is_counted(bob, read):
    before = read().get('sojourn_throttled_total{limit="sign-in"}', 0)
    for _ in range(12):
        Client().post("/accounts/login/", {"username": "bob", "password": "wrong"})
    assert read()['sojourn_throttled_total{limit="sign-in"}'] - before == 2


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "let-me"}])
def test_nobody_else_learns_that_there_is_anything(db, settings, headers):
    settings.METRICS_TOKEN = "let-me-read"
    assert Client().get("/metrics", headers=headers).status_code == 404


def test_without_a_token_in_the_settings_there_is_nothing(db):
    assert Client().get("/metrics", headers={"authorization": "Bearer "}).status_code == 404

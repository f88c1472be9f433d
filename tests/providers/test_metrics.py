"""Count what became of visits to providers."""

import pytest

from tests.providers.conftest import CALLBACK

pytestmark = pytest.mark.django_db


def test_what_came_of_each_visit_is_counted(client, issuer, leave, come_back, metrics):
    def read():
        [family] = [family for family in metrics() if family.name == "sojourn_providers"]
        return {sample.labels["outcome"]: sample.value for sample in family.samples}

    before = read()
    come_back(client, leave(client))
    come_back(client, leave(client), error="access_denied")
    issuer.pages["/token"] = (500, b"")
    come_back(client, leave(client))
    client.get(CALLBACK, {"code": "x", "state": "y"})  # which no flow waits for: nobody was asked
    assert {name: value - before.get(name, 0) for name, value in read().items()} == {
        "accepted": 1,
        "refused": 1,
        "failed": 1,
    }

"""The server with several workers: what each counts any of them tells, and all that they say is in one form."""

import json
import os
import signal
from contextlib import suppress
from urllib.parse import quote

import pytest

from tests import valkey
from tests.project.test_demo import Demo, Visitor, running
from tests.smtp import wait_until

pytestmark = pytest.mark.once

TOKEN = "let-me-read"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers") / "data"
    (folder / "metrics").mkdir(parents=True)
    (folder / "metrics" / "counter_1.db").write_bytes(b"of a server that is gone")
    with valkey.running() as server:
        url = f"redis://{quote(str(server.unix_socket_path))}"
        with running(folder, CACHE_URL=url, METRICS_TOKEN=TOKEN, LOG_FORMAT="json") as demo:
            yield demo


def fails_to_sign_in(demo: Demo) -> None:
    Visitor(demo).post("/accounts/login/", username="nobody", password="wrong-as-can-be")


def attempts(demo: Demo) -> float:
    """Return the attempts that a worker, whichever, tells of."""
    text = Visitor(demo).get("/metrics", Authorization=f"Bearer {TOKEN}").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("sojourn_sign_ins_total{"))


def counting(demo: Demo, kind: str = "counter") -> list[int]:
    """Return the workers that live and have counted something."""
    files = (demo.data / "metrics").glob(f"{kind}_*.db")
    return list(filter(lives, (int(path.stem.rpartition("_")[2]) for path in files)))


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return pid != 1
    return False


def test_any_worker_tells_what_all_have_counted(demo):
    made = attempts(demo)
    while len(counting(demo)) < 2:
        fails_to_sign_in(demo)
        made += 1
        assert made < 500, "One worker answers all."
    assert {attempts(demo) for _ in range(8)} == {made}


def test_a_worker_that_dies_leaves_what_it_counted_and_a_line_like_any_other(demo):
    visitor = Visitor(demo)
    visitor.sign_in("bob", demo.passwords["bob"])
    while not counting(demo, "gauge_livemax"):
        assert visitor.is_signed_in
    made, gone = attempts(demo), counting(demo, "gauge_livemax")[0]
    os.kill(gone, signal.SIGKILL)
    wait_until(lambda: not (demo.data / "metrics" / f"gauge_livemax_{gone}.db").exists())
    assert attempts(demo) == made
    fails_to_sign_in(demo)
    assert attempts(demo) == made + 1
    wait_until(lambda: "gunicorn" in demo.errors.read_text())
    lines = [json.loads(line) for line in demo.errors.read_text().splitlines()]
    assert {"accounts", "gunicorn.error"} <= {line["logger"] for line in lines}
    assert "wrong-as-can-be" not in demo.errors.read_text()

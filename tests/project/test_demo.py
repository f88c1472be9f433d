"""`manage.py demo`, run as people run it: a program of its own, spoken to over HTTP."""

import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from glob import glob
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.once

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


class Demo:
    """A running demo and what it has printed until it served."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data, self.port = data, free_port()
        self.errors = data.with_suffix(".stderr")
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, MANAGE, "demo", "--port", str(self.port), "--data", data],
                env={**ENVIRONMENT, **environment},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.lines = list(self.until_it_serves())
        self.passwords = dict(line.split() for line in self.lines if re.fullmatch(r"(alice|bob) \S+", line))

    def until_it_serves(self) -> Iterator[str]:
        for line in self.process.stdout:
            yield line.rstrip("\n")
            if f"http://localhost:{self.port}/" in line:
                return
        pytest.fail(f"The demo did not start: {self.errors.read_text()}")

    def stop(self, by: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(by)
        self.process.communicate(timeout=20)
        return self.process.returncode


@contextmanager
def running(data: Path, **environment: str) -> Iterator[Demo]:
    demo = Demo(data, **environment)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.stop()


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Iterator[Demo]:
    """One demo for all tests that only look at it; its access tokens last three seconds."""
    with running(tmp_path_factory.mktemp("demo") / "data", TOKENS_ACCESS_LIFETIME="3") as demo:
        yield demo


class Visitor:
    """A browser of few words: it keeps cookies, Secure ones too, as browsers do on localhost."""

    def __init__(self, demo: Demo) -> None:
        self.port = demo.port
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str):
        return self.request("GET", path, headers=headers)

    def post(self, path: str, **fields: str):
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path).text)[1]
        body = urlencode({"csrfmiddlewaretoken": token, **fields})
        return self.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def request(self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None):
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with closing(http.client.HTTPConnection("localhost", self.port, timeout=20)) as connection:
            connection.request(method, path, body, {**(headers or {}), **({"Cookie": cookies} if cookies else {})})
            response = connection.getresponse()
            response.text = response.read().decode()
        for header in response.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
        return response

    def sign_in(self, name: str, password: str) -> None:
        assert self.post("/accounts/login/", username=name, password=password).status == 302

    @property
    def is_signed_in(self) -> bool:
        return self.get("/accounts/sessions/").status == 200


class TestSite:
    def test_both_people_sign_in_with_the_printed_passwords(self, demo):
        assert set(demo.passwords) == {"alice", "bob"}
        for name, password in demo.passwords.items():
            assert len(password) >= 16
            visitor = Visitor(demo)
            visitor.sign_in(name, password)
            assert visitor.is_signed_in

    def test_alice_is_the_administrator_and_bob_is_not(self, demo):
        for name, status in [("alice", 200), ("bob", 403)]:
            visitor = Visitor(demo)
            visitor.sign_in(name, demo.passwords[name])
            assert visitor.get("/admin/").status == status

    def test_its_lifetimes_come_from_the_environment(self, demo):
        visitor = Visitor(demo)
        visitor.sign_in("bob", demo.passwords["bob"])
        before = visitor.cookies["__Host-access"]
        time.sleep(4)
        # An answer that is late on a busy machine brings no cookies; one of the next does.
        assert any(visitor.is_signed_in and visitor.cookies["__Host-access"] != before for _ in range(5))

    def test_a_mail_becomes_a_file(self, demo):
        Visitor(demo).post("/accounts/password/reset/", email="bob@example.org")
        subject = "Subject: Choose a new password"  # a sign-in from a new browser is told as well
        [mail] = wait_for(lambda: [file for file in (demo.data / "mail").glob("*.eml") if subject in file.read_text()])
        assert f"http://localhost:{demo.port}/accounts/" in mail.read_text()

    def test_static_files_have_hashed_names_and_stay_in_the_browser(self, demo):
        sheet = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', Visitor(demo).get("/accounts/login/").text)[1]
        response = Visitor(demo).get(sheet)
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]

    def test_nobody_in_front_means_that_nobody_can_claim_tls(self, demo):
        response = Visitor(demo).get("/healthz", **{"X-Forwarded-Proto": "https"})
        assert "Strict-Transport-Security" not in response.headers

    def test_its_secret_is_for_its_owner_alone(self, demo):
        assert stat.S_IMODE((demo.data / "secret-key").stat().st_mode) == 0o600

    def test_the_server_tells_no_version(self, demo):
        assert not re.search(r"\d", Visitor(demo).get("/healthz").headers["Server"])


class TestSecondRun:
    def test_starts_what_is_there_and_keeps_people_signed_in(self, tmp_path):
        with running(tmp_path / "data") as first:
            visitor = Visitor(first)
            visitor.sign_in("bob", first.passwords["bob"])
            assert first.stop(signal.SIGINT) == 0
        with running(tmp_path / "data", TOKENS_ISSUER=f"http://localhost:{first.port}") as second:
            assert second.passwords == {}
            visitor.port = second.port
            assert visitor.is_signed_in
            assert second.stop(signal.SIGTERM) == 0
        assert "Traceback" not in first.errors.read_text() + second.errors.read_text()


class TestRefusals:
    def test_a_taken_port(self, tmp_path):
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = str(taken.getsockname()[1])
            sentence = self.refusal(tmp_path / "data", "--port", port)
        assert sentence.startswith(f"Port {port} cannot be used")
        assert not (tmp_path / "data").exists()

    def test_a_port_taken_on_the_other_address_of_localhost(self, tmp_path):
        try:
            taken = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            pytest.xfail("This machine has no IPv6.")
        with closing(taken):
            port = str(taken.getsockname()[1])
            assert self.refusal(tmp_path / "data", "--port", port).startswith(f"Port {port} cannot be used")

    @pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
    def test_what_is_no_port(self, tmp_path, port):
        assert repr(port) in self.refusal(tmp_path / "data", f"--port={port}")
        assert not (tmp_path / "data").exists()

    @pytest.mark.parametrize("data", ["file", "file/below"])
    def test_a_folder_that_cannot_be(self, tmp_path, data):
        (tmp_path / "file").write_text("mine")
        assert str(tmp_path / data) in self.refusal(tmp_path / data)
        assert (tmp_path / "file").read_text() == "mine"

    def test_a_wrong_variable(self, tmp_path):
        sentence = self.refusal(tmp_path / "data", TOKENS_ACCESS_LIFETIME="soon")
        assert sentence == "TOKENS_ACCESS_LIFETIME must be a number of seconds, zero or more."
        assert not (tmp_path / "data").exists()

    def test_settings_that_do_not_fit_together(self, tmp_path):
        sentence = self.refusal(tmp_path / "data", TOKENS_ACCESS_LIFETIME="30", TOKENS_CONFIRM_AFTER="20")
        assert "TOKENS_CONFIRM_AFTER" in sentence
        assert not (tmp_path / "data").exists()

    def test_a_database_that_does_not_answer(self, tmp_path):
        url = f"postgres://sojourn:hush@localhost:{free_port()}/sojourn"
        sentence = self.refusal(tmp_path / "data", DATABASE_URL=url)
        assert sentence.startswith("The database of DATABASE_URL cannot be used")
        assert "hush" not in sentence

    def refusal(self, data: Path, *arguments: str, **environment: str) -> str:
        """The one line on stderr with which the demo refuses to start."""
        if not arguments:
            arguments = ("--port", str(free_port()))
        command = [sys.executable, MANAGE, "demo", "--data", data, *arguments]
        done = subprocess.run(command, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=30)
        assert done.returncode not in (0, -signal.SIGKILL)
        assert done.stdout == ""
        [sentence] = done.stderr.splitlines()
        return sentence


class TestOldPython:
    def test_gets_a_sentence(self, tmp_path):
        for command in old_pythons() or [pretended_old_python()]:
            done = subprocess.run([*command, "demo", "--data", tmp_path / "data"], capture_output=True, text=True)
            assert done.returncode == 1
            assert re.fullmatch(r"Sojourn needs Python 3\.11 or later, and this is Python \d\.\d+\.\n", done.stderr)
        assert not (tmp_path / "data").exists()


def old_pythons() -> list[list[str]]:
    """The commands that run manage.py with whatever Python before 3.11 this machine has."""
    pythons = glob(os.path.expanduser("~/.pyenv/versions/*/bin/python")) + glob("/usr/bin/python[23].[0-9]*")
    old = "import sys; sys.exit(sys.version_info >= (3, 11))"
    return [
        [python, str(MANAGE)] for python in pythons if subprocess.run([python, "-c", old], check=False).returncode == 0
    ]


def pretended_old_python() -> list[str]:
    pretend = f"import runpy, sys; sys.version_info = (3, 10); runpy.run_path({str(MANAGE)!r}, run_name='__main__')"
    return [sys.executable, "-c", pretend]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def wait_for(look, seconds: float = 10):
    """What `look()` returns, once it returns something."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found

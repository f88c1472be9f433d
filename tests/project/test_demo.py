"""`manage.py demo`, run as people run it: a program of its own, spoken to over HTTP."""

import ast
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from project.demo import main

pytestmark = pytest.mark.once

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


class Demo:
    """A running demo and what it has printed until it served."""

    def __init__(self, data: Path, *python: str, **environment: str) -> None:
        self.data, self.port = data, free_port()
        self.errors = data.with_suffix(".stderr")
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*(python or [sys.executable]), MANAGE, "demo", "--port", str(self.port), "--data", data],
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

    def stop(self, by: signal.Signals) -> int:
        self.process.send_signal(by)
        self.process.communicate(timeout=60)
        return self.process.returncode


@contextmanager
def running(data: Path, *python: str, **environment: str) -> Iterator[Demo]:
    demo = Demo(data, *python, **environment)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.stop(signal.SIGTERM)  # A program in the background ignores SIGINT until it serves.


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
        with closing(http.client.HTTPConnection("localhost", self.port, timeout=60)) as connection:
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
    def test_both_people_sign_in_with_the_printed_passwords_and_alice_is_the_administrator(self, demo):
        for name, status in [("alice", 200), ("bob", 403)]:
            assert len(demo.passwords[name]) >= 16
            visitor = Visitor(demo)
            visitor.sign_in(name, demo.passwords[name])
            assert visitor.is_signed_in
            assert visitor.get("/admin/").status == status

    def test_its_lifetimes_come_from_the_environment(self, demo):
        visitor = Visitor(demo)
        visitor.sign_in("bob", demo.passwords["bob"])
        claims = json.loads(unpadded(visitor.cookies["__Host-access"].split(".")[1]))
        assert claims["exp"] - claims["iat"] == 3

    def test_another_site_on_the_host_with_a_prefix_leaves_it_alone(self, demo, tmp_path):
        with running(tmp_path / "shop", TOKENS_COOKIE_PREFIX="shop") as shop:
            visitor = Visitor(demo)
            for site in (demo, shop):
                visitor.port = site.port
                visitor.sign_in("bob", site.passwords["bob"])
            for site in (demo, shop):
                visitor.port = site.port
                assert visitor.is_signed_in

    def test_a_mail_becomes_a_file(self, demo):
        Visitor(demo).post("/accounts/password/reset/", email="bob@example.org")
        subject = "Subject: Choose a new password"  # a sign-in from a new browser is told as well
        [mail] = wait_for(lambda: [file for file in (demo.data / "mail").glob("*.eml") if subject in file.read_text()])
        assert f"http://localhost:{demo.port}/accounts/" in mail.read_text()
        assert [stat.S_IMODE(path.stat().st_mode) for path in (mail, mail.parent)] == [0o600, 0o700]

    def test_static_files_have_hashed_names_and_stay_in_the_browser(self, demo):
        sheet = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', Visitor(demo).get("/accounts/login/").text)[1]
        response = Visitor(demo).get(sheet)
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert (demo.data / "static" / "staticfiles.json").exists()
        assert Visitor(demo).get("/static/staticfiles.json").status == 404

    def test_nobody_in_front_can_claim_tls_and_the_server_tells_no_version(self, demo):
        response = Visitor(demo).get("/healthz", **{"X-Forwarded-Proto": "https"})
        assert "Strict-Transport-Security" not in response.headers
        assert not re.search(r"\d", response.headers["Server"])

    def test_what_it_writes_is_for_its_owner_alone(self, demo):
        written = [demo.data, *demo.data.iterdir()]
        assert {"secret-key", "db.sqlite3"} <= {path.name for path in written}
        assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in written} == {0}


def test_safari_is_told_how_to_sign_in_and_can(demo, tmp_path):
    """It keeps no Secure cookie of http://localhost, and neither does Python's jar."""

    def sign_in(demo: Demo) -> tuple[int, str]:
        safari, url = build_opener(HTTPCookieProcessor()), f"http://localhost:{demo.port}/accounts/login/"
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', safari.open(url).read().decode())[1]
        fields = {"csrfmiddlewaretoken": token, "username": "bob", "password": demo.passwords["bob"]}
        try:
            response = safari.open(url, urlencode(fields).encode())
        except HTTPError as refusal:
            response = refusal
        return response.status, response.read().decode()

    status, page = sign_in(demo)
    assert status == 403
    assert "TOKENS_COOKIE_SECURE=false" in page
    with running(tmp_path / "data", TOKENS_COOKIE_SECURE="false") as restarted:
        assert "Hello, bob." in sign_in(restarted)[1]


def test_a_second_run_starts_what_is_there_and_keeps_people_signed_in(tmp_path):
    with running(tmp_path / "data") as first:
        assert (first.data / "mail").is_dir()  # though nothing was written yet
        visitor = Visitor(first)
        visitor.sign_in("bob", first.passwords["bob"])
        assert first.stop(signal.SIGINT) == 0
    with running(tmp_path / "data", TOKENS_ISSUER=f"http://localhost:{first.port}") as second:
        assert second.passwords == {}
        visitor.port = second.port
        assert visitor.is_signed_in
        assert second.stop(signal.SIGTERM) == 0
    assert "Traceback" not in first.errors.read_text() + second.errors.read_text()


def test_a_command_runs_on_its_data_and_a_lost_password_can_be_chosen_anew(demo):
    def run(*command: str, typed: str = "", **environment: str) -> str:
        program = [sys.executable, MANAGE, "demo", "--data", demo.data, "--", *command]
        done = subprocess.run(
            program,
            env={**ENVIRONMENT, **environment},
            input=typed,
            capture_output=True,
            text=True,
            start_new_session=True,  # without a terminal, which would be asked for the password
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    carol = ["--noinput", "--username=carol", "--email=carol@example.org"]
    run("createsuperuser", *carol, DJANGO_SUPERUSER_PASSWORD="which-she-forgot-91")
    run("changepassword", "carol", typed="corner-brass-47\n" * 2)
    visitor = Visitor(demo)
    visitor.sign_in("carol", "corner-brass-47")
    assert visitor.get("/admin/").status == 200
    assert json.loads(run("sessionreport", "--json"))["live"] >= 1


class TestRefusals:
    """One line on stderr, no folder, and no secret."""

    @pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
    def test_a_port_that_is_taken_on_either_address_of_localhost(self, tmp_path, capsys, host, family):
        try:
            taken = socket.create_server((host, 0), family=family)
        except OSError:
            pytest.xfail("This machine has no IPv6.")
        with closing(taken):
            port = str(taken.getsockname()[1])
            assert main(["--port", port, "--data", str(tmp_path / "data")]) == 1
        assert re.match(f"Port {port} cannot be used .+\n$", capsys.readouterr().err)

    @pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
    def test_what_is_no_port(self, tmp_path, capsys, port):
        assert main([f"--port={port}", "--data", str(tmp_path / "data")]) == 1
        assert repr(port) in capsys.readouterr().err

    def test_a_folder_that_cannot_be(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        for data in (tmp_path / "file", tmp_path / "file/below"):
            assert str(data) in self.refusal(data)
        assert (tmp_path / "file").read_text() == "mine"

    def test_a_command_before_there_is_any_data(self, tmp_path, capsys):
        assert main(["--data", str(tmp_path / "data"), "--", "changepassword", "alice"]) == 1
        assert str(tmp_path / "data") in capsys.readouterr().err
        assert not (tmp_path / "data").exists()

    def test_a_wrong_variable_and_settings_that_do_not_fit_together(self, tmp_path):
        sentence = self.refusal(tmp_path / "data", TOKENS_ACCESS_LIFETIME="soon")
        assert sentence == "TOKENS_ACCESS_LIFETIME must be a number of seconds, zero or more."
        sentence = self.refusal(tmp_path / "data", TOKENS_ACCESS_LIFETIME="30", TOKENS_CONFIRM_AFTER="20")
        assert "TOKENS_CONFIRM_AFTER" in sentence

    def test_a_database_that_does_not_answer(self, tmp_path):
        url = f"postgres://sojourn:hush@localhost:{free_port()}/sojourn"
        sentence = self.refusal(tmp_path / "data", has_folder=True, DATABASE_URL=url)
        assert sentence.startswith("The database of DATABASE_URL cannot be used")

    def refusal(self, data: Path, has_folder: bool = False, **environment: str) -> str:
        """Return the line with which the demo refuses to start."""
        command = [sys.executable, MANAGE, "demo", "--data", data, "--port", str(free_port())]
        done = subprocess.run(command, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=60)
        assert done.returncode not in (0, -signal.SIGKILL)
        assert done.stdout == ""
        assert has_folder or not data.is_dir()
        [sentence] = done.stderr.splitlines()
        assert "hush" not in sentence
        return sentence


def test_an_old_python_gets_a_sentence(tmp_path):
    pretend = f"import runpy, sys; sys.version_info = (3, 10); runpy.run_path({str(MANAGE)!r}, run_name='__main__')"
    command = [sys.executable, "-c", pretend, "demo", "--data", tmp_path / "data"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"Sojourn needs Python 3\.11 or later, and this is Python \d\.\d+\.\n", done.stderr)
    assert not (tmp_path / "data").exists()
    ast.parse(MANAGE.read_text(), feature_version=(3, 0))  # which old ones can read


def unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def wait_for(look, seconds: float = 60):
    """What `look()` returns, once it returns something."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found

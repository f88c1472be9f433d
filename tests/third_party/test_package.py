"""The distribution django-sojourn has the app `tokens` and nothing else, and works where nothing else is installed."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from socket import create_server
from time import monotonic
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener
from zipfile import ZipFile

import pytest

import tokens
from tests.tokens import bare
from tests.tokens.test_bare import FEW_FIELDS

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
VERSION = tokens.__version__
SOURCES = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "tokens").rglob("*")
    if path.is_file() and path.suffix not in (".pyc", ".po", ".md")
}
PAGE = (ROOT / "tokens/README.md").read_text()
PASSWORD = "typed by a newcomer"


def run(*command, cwd, **env):
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "PIP_CONFIG_FILE") if name in os.environ}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=inherited | env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_changes_of_each_version_have_a_date():
    versions = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    released = [version for version in versions if version != "Unreleased"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", version) for version in released)
    assert released[0].startswith(f"{VERSION} (")


def test_what_it_promises_is_what_the_app_refuses_to_go_without():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11" and "django>=5.2" in project["dependencies"]
    refusal = (ROOT / "tokens/apps.py").read_text()
    assert "django.VERSION < (5, 2) or sys.version_info < (3, 11)" in refusal
    assert all(f"`django-sojourn[{extra}]`" in PAGE for extra in project["optional-dependencies"])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with the two files that a release uploads: the wheel is made from the other."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    [wheel] = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """A Python that has the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    run(folder / "bin/pip", "install", "-q", wheel, cwd=folder)
    return folder / "bin/python"


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestTheFiles:
    def test_the_wheel_has_the_app_and_nothing_else(self, wheel):
        info = f"django_sojourn-{VERSION}.dist-info"
        about = {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
        assert set(ZipFile(wheel).namelist()) == SOURCES | about

    def test_the_source_distribution_has_what_the_wheel_is_made_from(self, built):
        [packed] = built.glob("*.tar.gz")
        with tarfile.open(packed) as archive:
            names = {name.removeprefix(f"django_sojourn-{VERSION}/") for name in archive.getnames()}
        catalogues = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tokens/locale").rglob("*.po")}
        about = {".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "pyproject.toml", "tokens/README.md"}
        assert names == SOURCES | catalogues | about


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestInAFreshEnvironment:
    def test_with_djangos_own_user(self, python, tmp_path):
        assert bare.run(python, tmp_path).endswith("all is well\n")

    def test_with_a_user_of_few_fields(self, python, tmp_path):
        assert bare.run(python, tmp_path, apps='"people", ', extra=FEW_FIELDS, tz=False).endswith("all is well\n")

    def test_its_types_are_read(self, python, tmp_path):
        code = "from tokens.core.rotation import decide\nreveal_type(decide)\n"
        said = run(sys.executable, "-m", "mypy", "--python-executable", python, "-c", code, cwd=tmp_path)
        assert "-> tokens.core.rotation." in said


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_quick_start_typed_as_it_is_written(wheel, tmp_path, tell):
    install, added, start = re.findall(r"^```\w+\n(.*?)^```", PAGE, flags=re.M | re.S)
    [(old, new)] = re.findall(r'replace\s+`"([\w.]+)"` with\s+`"([\w.]+)"`', PAGE)
    activate, *prepare, serve = [". .venv/bin/activate", *start.splitlines()]
    began = monotonic()
    (tmp_path / "constraints.txt").write_text(f"django-sojourn @ {wheel.as_uri()}\n")
    env = {
        "PIP_CONSTRAINT": str(tmp_path / "constraints.txt"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DJANGO_SUPERUSER_USERNAME": "zoe",
        "DJANGO_SUPERUSER_EMAIL": "zoe@example.org",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    run("bash", "-ec", install, cwd=tmp_path, **env)
    file = tmp_path / "mysite/settings.py"
    made = file.read_text().replace("'", '"')
    last = '"django.contrib.staticfiles",\n'
    assert made.count(old) == made.count(last) == 1
    file.write_text(made.replace(old, new).replace(last, f'{last}    "tokens",\n') + added)
    typed = "\n".join([activate, *prepare]).replace("createsuperuser", "createsuperuser --no-input")
    run("bash", "-ec", typed, cwd=tmp_path, **env)
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(f"{activate}; exec {serve} {port} --noreload", tmp_path, env):
        cookies = sign_in(f"http://localhost:{port}/admin/", tmp_path)
    assert {"__Host-access", "__Host-refresh"} <= cookies and "sessionid" not in cookies
    tell(f"The quick start took {monotonic() - began:.0f} s")


@contextmanager
def serving(command, folder, env):
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(["bash", "-ec", command], cwd=folder, env=env, stdout=log, stderr=log)
        try:
            yield
        finally:
            server.terminate()
            server.wait()


def sign_in(url, folder):
    """Sign in at the admin as soon as it answers, and see the session listed; return the names of the cookies."""
    # Browsers take localhost for secure, which this client has to be told.
    jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http",)))
    browser = build_opener(HTTPCookieProcessor(jar))
    deadline = monotonic() + 60
    while True:
        try:
            page = browser.open(f"{url}login/").read().decode()
            break
        except URLError:
            assert monotonic() < deadline, (folder / "log").read_text()
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    fields = {"username": "zoe", "password": PASSWORD, "csrfmiddlewaretoken": token, "next": "/admin/"}
    assert "Welcome" in browser.open(f"{url}login/", urlencode(fields).encode()).read().decode()
    assert "1 session" in browser.open(f"{url}tokens/refreshtoken/").read().decode()
    return {cookie.name for cookie in jar}

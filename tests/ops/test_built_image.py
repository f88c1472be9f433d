"""The image of ops/Dockerfile, built without a registry and run as compose runs it: read-only, by nobody in particular.

Its base has Debian's Python from the packages of this machine, and pip finds what it installs in a folder.
"""

import json
import os
import shutil
import socket
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from project.environment import Env
from tests.conftest import PASSWORD
from tests.project.test_demo import Visitor
from tests.resilience import database
from tests.smtp import wait_until

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parent.parent.parent
NOBODY = 10001
WANTED = ("python3-venv", "passwd", "tzdata")  # as Docker's images of Python have them
# As a container runtime does it: the image read-only, /tmp and the volume over it, and no way to more rights.
CONTAINER = """
set -e; root=$1; tmp=$2; volume=$3; shift 3
mount --bind "$root" "$root"
mount --bind "$tmp" "$root/tmp"
mount --bind "$volume" "$root/srv/keys"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
[ -z "$SOCKETS" ] || mount --bind "$SOCKETS" "$root$SOCKETS"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs chroot --userspec=10001:10001 "$root" env --ignore-environment --chdir=/srv/sojourn "$@"
"""
# What its user could write to, had they not the devices and the processes of this machine.
FIND = "find / -path /proc -prune -o -path /dev -prune -o -writable -type d -print -prune 2>/dev/null | sort"


def run(*words: object, **options: object) -> str:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout


def make_base(folder: Path) -> None:
    """Fill `folder` with a Debian that has Python and nothing besides, from the packages of this machine."""
    essential = [
        line.split()[1]
        for line in run("dpkg-query", "-W", "-f", "${Essential} ${Package}\n").splitlines()
        if "yes" in line
    ]
    without = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
    told = run("apt-cache", "--installed", "depends", "--recurse", *without, *WANTED, *essential)
    packages = sorted({line for line in told.splitlines() if line[0] not in " <"})
    listed = subprocess.run(["dpkg-query", "-L", *packages], capture_output=True, text=True, check=False).stdout
    files = {line for line in listed.splitlines() if line.startswith("/") and os.path.lexists(line)}
    files |= {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"}
    for link in ("bin", "sbin", "lib", "lib64"):
        (folder / "usr" / link).mkdir(parents=True, exist_ok=True)
        (folder / link).symlink_to(f"usr/{link}")
    names = "\n".join(sorted(name.lstrip("/") for name in files)) + "\n"
    archive = subprocess.run(
        ["tar", "-C", "/", "--no-recursion", "-T", "-", "-cf", "-"],
        input=names.encode(),
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(["tar", "-C", folder, "--keep-directory-symlink", "-xf", "-"], input=archive, check=True)


class Image:
    """`config` is what the image says about how to run it, `root` its files."""

    def __init__(self, folder: Path) -> None:
        self.store = ("--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs")
        wheels, pip, self.tmp, self.volume = (folder / name for name in ("wheels", "pip.conf", "tmp", "keys"))
        pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        container = self.buildah("from", "scratch")
        base = Path(self.buildah("mount", container))
        make_base(base)
        self.buildah("commit", "--quiet", "--rm", container, "localhost/base")
        run("/usr/bin/python3", "-m", "venv", folder / "venv")  # the Python of the base, and the index of this machine
        run(
            *(folder / "venv/bin/pip", "download", "--quiet", "--require-hashes", "--only-binary", ":all:"),
            *("--requirement", ROOT / "requirements.txt", "--dest", wheels),
        )
        self.buildah(
            *("build", "--isolation", "chroot", "--format", "docker", "--pull=never", "--layers=false"),
            *("--volume", f"{wheels}:/wheels:ro", "--volume", f"{pip}:/etc/pip.conf:ro"),
            *("--build-arg", "BASE=localhost/base", "--file", ROOT / "ops/Dockerfile", "--tag", "localhost/site", ROOT),
        )
        self.config = json.loads(self.buildah("inspect", "--type", "image", "localhost/site"))["Docker"]["config"]
        self.root = Path(self.buildah("mount", self.buildah("from", "--pull=never", "localhost/site")))
        self.tmp.mkdir()
        self.tmp.chmod(0o1777)
        shutil.copytree(self.root / "srv/keys", self.volume)  # as Docker makes a new volume
        found = (self.root / "srv/keys").stat()
        os.chown(self.volume, found.st_uid, found.st_gid)

    def buildah(self, *words: object) -> str:
        return run("buildah", *self.store, *words).strip()


class Containers:
    """Runs the image in one environment; all have one network, one /tmp and one volume."""

    def __init__(self, image: Image, database_url: str, sockets: str) -> None:
        self.image = image
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.sockets = sockets
        if sockets:
            (image.tmp / Path(sockets).relative_to("/tmp")).mkdir()
        self.environment = {
            **dict(word.split("=", 1) for word in image.config["Env"]),
            "SECRET_KEY": "of no use anywhere else, and long enough for the checks",
            "ALLOWED_HOSTS": "localhost",
            "DATABASE_URL": database_url,
            "SECURE_SSL_REDIRECT": "false",
            "TOKENS_ISSUER": "http://localhost",
            "TOKENS_KEYS": "/srv/keys/keys.json",
            "WEB_CONCURRENCY": "2",
        }

    def words(self, *command: str, **environment: str) -> list[str]:
        given = [f"{name}={value}" for name, value in {**self.environment, **environment}.items()]
        folders = [str(self.image.root), str(self.image.tmp), str(self.image.volume)]
        return ["unshare", "--mount", "sh", "-c", CONTAINER, "sh", *folders, *given, *command]

    def run(self, *command: str, **environment: str) -> str:
        return run(*self.words(*command, **environment), env={**os.environ, "SOCKETS": self.sockets})

    @contextmanager
    def serving(self):
        """The command of the image, on a port that is free here; the block ends with a healthy one that goes on."""
        command = [word.replace(":8000", f":{self.port}") for word in self.image.config["Cmd"]]
        metrics = {"PROMETHEUS_MULTIPROC_DIR": "/tmp/metrics"}
        with (self.image.tmp / "log").open("w") as log:
            server = subprocess.Popen(
                self.words(*command, **metrics), env={**os.environ, "SOCKETS": self.sockets}, stdout=log, stderr=log
            )
        try:
            wait_until(lambda: server.poll() is not None or self.is_healthy(), 60)
            yield server
        finally:
            server.kill()
            server.wait()

    def is_healthy(self) -> bool:
        kind, *check = self.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        words = self.words(*check, str(self.port))
        return subprocess.run(words, env={**os.environ, "SOCKETS": self.sockets}, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    yield Image(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def containers(image, postgres_url):
    host = Env.db_url_config(postgres_url)["HOST"]
    sockets = host if host.startswith("/") else ""
    if sockets:
        Path(sockets).chmod(0o711)
    with database.one_more(postgres_url) as url:
        yield Containers(image, url, sockets)


def test_it_says_whom_to_run_it_as_and_how_to_stop_it(image):
    assert (image.config["User"], image.config["StopSignal"]) == (str(NOBODY), "SIGTERM")
    assert image.config["WorkingDir"] == "/srv/sojourn"


def test_it_serves_read_only_from_an_empty_database_until_it_is_told_to_stop(containers):
    manage = ("python", "manage.py")
    containers.run(*manage, "tokenkeys", "--file", "/srv/keys/keys.json", "create", "ES256")
    containers.run(*manage, "migrate")
    about = ["--no-input", "--username", "ada", "--email", "ada@example.org"]
    containers.run(*manage, "createsuperuser", *about, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    writable = containers.run("sh", "-c", FIND).split()
    assert writable == ["/srv/keys", "/tmp"]
    with containers.serving() as server:
        assert containers.is_healthy(), (containers.image.tmp / "log").read_text()
        assert f"\nUid:\t{NOBODY}\t{NOBODY}\t{NOBODY}" in Path(f"/proc/{server.pid}/status").read_text()
        visitor = Visitor(containers)
        visitor.sign_in("ada", PASSWORD)
        assert visitor.get("/admin/").status == 200
        server.terminate()
        assert server.wait(60) == 0
        assert not containers.is_healthy()

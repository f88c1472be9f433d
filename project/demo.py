"""Run `manage.py demo`: the whole site on this machine, from nothing, until Ctrl-C.

`manage.py demo -- COMMAND` runs one of Django's commands on its data.

It runs before Django has settings, because it sets the environment that they are read from. First comes whatever can
fail (the port, the settings, the folder), and only then is anything created.
"""

import argparse
import os
import secrets
import socket
import string
import sys
import tempfile
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
ALPHABET = string.ascii_letters + string.digits


class Refused(Exception):
    """Report that the demo cannot start; the message is the sentence to print."""


class Parser(argparse.ArgumentParser):
    """Raise Refused instead of exiting with a usage message."""

    def error(self, message: str) -> NoReturn:
        """Raise Refused."""
        raise Refused(f"manage.py demo: {message}.")


def main(argv: list[str]) -> int:
    """Run the demo until it is stopped, or one command on its data, and return the exit code.

    If it cannot start, one sentence on stderr says why.
    """
    try:
        options = parse(argv)
        data = Path(options.data).absolute()
        os.umask(0o077)  # The database and the mails are for the eyes of this user alone.
        if options.command:
            run_command(options.command, data, options.port)
        else:
            run_site(data, options.port)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # The server has not taken over the signals yet.
        return 130
    return 0


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = Parser(prog="manage.py demo", description="Serve the whole site on this machine until Ctrl-C.")
    parser.add_argument("--port", type=port, default=8000, help="the port to listen on (8000)")
    parser.add_argument("--data", default=ROOT / "demo-data", help="the folder for database and mail (demo-data)")
    parser.add_argument("command", nargs="*", metavar="-- COMMAND", help="run this on the demo's data instead")
    return parser.parse_args(argv)


def port(value: str) -> int:
    """Return `value` as a port number. Raise ArgumentTypeError."""
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        raise argparse.ArgumentTypeError(f"{value!r} is not a port, which is a number from 1 to 65535")
    return int(value)


def run_command(command: list[str], data: Path, port: int) -> None:
    """Run one of Django's commands as the demo would, whether or not it is running. Raise Refused."""
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    if not data.is_dir():
        raise Refused(f"There is no demo in {data} yet. Start it first, without a command.")
    set_environment(data, port)
    try:
        execute_from_command_line(["manage.py", *command])
    except ImproperlyConfigured as error:
        raise Refused(str(error)) from None


def run_site(data: Path, port: int) -> None:
    """Create what is missing and serve the site until it is stopped. Raise Refused."""
    listeners = listen(port)
    generated = set_environment(data, port)
    load_django()
    make_folder(data)
    prepare(data, generated)
    serve(listeners, data, port)


def listen(port: int) -> list[socket.socket]:
    """Return sockets that listen on `port`. Raise Refused."""
    from project.server import listen

    try:
        return listen(port)
    except OSError as error:
        raise Refused(f"Port {port} cannot be used ({error.strerror}). Try another one with --port.") from None


def set_environment(data: Path, port: int) -> bool:
    """Fill in what the environment leaves open, and return whether the secret key is the demo's own."""
    generated = not os.environ.get("SECRET_KEY")
    defaults = {
        "SECRET_KEY": read_secret_key(data) or secrets.token_urlsafe(50),
        "DEBUG": "false",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
        "DATABASE_URL": f"sqlite:///{quote(str(data / 'db.sqlite3'))}",
        "EMAIL_URL": f"filemail:///{quote(str(data / 'mail'))}",
        "STATIC_ROOT": str(data / "static"),
        "LOG_FORMAT": "text",
        "SECURE_SSL_REDIRECT": "false",
        "TOKENS_ISSUER": f"http://localhost:{port}",
    }
    if os.environ.get("METRICS_TOKEN"):
        defaults["PROMETHEUS_MULTIPROC_DIR"] = str(data / "metrics")  # With a shared cache there are several workers.
    for name, value in defaults.items():
        if not os.environ.get(name):
            os.environ[name] = value
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    return generated


def read_secret_key(data: Path) -> str:
    """Return the secret key that an earlier run saved, or ""."""
    try:
        return (data / "secret-key").read_text().strip()
    except OSError:
        return ""


def load_django() -> None:
    """Set up Django and run its checks. Raise Refused."""
    import django
    from django.core.checks import run_checks
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise Refused(str(error)) from None
    for message in run_checks(databases=[]):  # There may be none yet.
        if message.is_serious():
            raise Refused(f"{message.msg} ({message.id})")


def make_folder(data: Path) -> None:
    """Create the folder, with one for mails, and check that it is writable. Raise Refused."""
    try:
        (data / "mail").mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=data).close()
    except OSError as error:
        raise Refused(f"The folder {data} is not writable ({error.strerror}). Try another one with --data.") from None


def save_secret_key(data: Path) -> None:
    """Save the key that this run generated, so that sessions survive the next start."""
    if not read_secret_key(data):
        with open(data / "secret-key", "w", opener=lambda path, flags: os.open(path, flags, mode=0o600)) as file:
            file.write(os.environ["SECRET_KEY"])


def prepare(data: Path, generated: bool) -> None:
    """Create what is missing: the tables, the static files, the file of a generated secret key, the users."""
    from django.core.management import call_command
    from django.db import Error, connections

    try:
        empty_metrics()
        call_command("migrate", verbosity=0, interactive=False)
        call_command("collectstatic", verbosity=0, interactive=False)
        if generated:
            save_secret_key(data)
        passwords = make_users()
        for name, password in passwords.items():
            print(f"{name} {password}", flush=True)
        if not passwords:
            print("Lost a password? Run `manage.py demo -- changepassword alice`.", flush=True)
    except Error as error:
        reason = str(error).partition("\n")[0]
        raise Refused(f"The database of DATABASE_URL cannot be used: {reason}") from None
    except OSError as error:
        raise Refused(f"The folder {data} is not writable: {error}.") from None
    finally:
        connections.close_all()  # A connection must not be shared with the server's processes.


def empty_metrics() -> None:
    """Delete the counters of earlier workers, which would be added to today's."""
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for file in Path(folder).glob("*.db"):
            file.unlink()


def make_users() -> dict[str, str]:
    """Create alice and bob unless one of them exists; return the passwords by user name."""
    from django.contrib.auth import get_user_model
    from django.db import transaction
    from django.utils import timezone

    users = get_user_model().objects
    passwords = {name: "".join(secrets.choice(ALPHABET) for _ in range(20)) for name in ("alice", "bob")}
    with transaction.atomic():
        if users.filter(username__in=passwords).exists():
            return {}
        users.create_superuser("alice", "alice@example.org", passwords["alice"])
        users.create_user("bob", "bob@example.org", passwords["bob"], email_verified_at=timezone.now())
    return passwords


def serve(listeners: list[socket.socket], data: Path, port: int) -> None:
    """Serve the site until it is stopped."""
    from django.conf import settings

    from project.server import Server

    print(
        f"{settings.SITE_NAME} is at http://localhost:{port}/ and its mail in {data / 'mail'}. Press Ctrl-C to stop.",
        flush=True,
    )
    Server(listeners).run()

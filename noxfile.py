"""The project's commands: `nox -s NAME` in the environment that the README's line makes. .ci/run uses the same."""

import secrets
from pathlib import Path
from typing import Any

import nox

nox.options.default_venv_backend = "none"  # the tools of .venv, in the versions of requirements-dev.txt
nox.options.sessions = ["fast", "lint", "types"]

BIN = Path(__file__).parent / ".venv" / "bin"


def run(session: nox.Session, tool: str, *arguments: str, **options: Any) -> None:
    session.run(str(BIN / tool), *arguments, external=True, **options)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests but the slow ones."""
    run(session, "pytest", *session.posargs)


@nox.session
def fast(session: nox.Session) -> None:
    """Run the tests that call the code in this process."""
    run(session, "pytest", "-m", "fast", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the slow tests, and one after the other those that need the machine for themselves."""
    codes = [0, 5] if session.posargs else [0]  # a file may have tests of one kind alone
    run(session, "pytest", "-m", "slow and not alone", *session.posargs, success_codes=codes)
    run(session, "pytest", "-m", "slow and alone", "-n", "0", *session.posargs, success_codes=codes)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format of the code and the templates."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")
    run(session, "djlint", "templates", "--lint", "--quiet")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    run(session, "mypy")


@nox.session
def checks(session: nox.Session) -> None:
    """Check the settings of .env.example, and that no migration is missing."""
    lines = Path(__file__).with_name(".env.example").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    env["SECRET_KEY"] = secrets.token_urlsafe(50)
    run(session, "python", "manage.py", "check", "--deploy", "--fail-level", "WARNING", env=env)
    env["DATABASE_URL"] = "sqlite://:memory:"
    run(session, "python", "manage.py", "makemigrations", "--check", "--dry-run", env=env)


@nox.session
def lab(session: nox.Session) -> None:
    """Run the simulation in its quick form, as the slow tests run the benchmarks."""
    run(session, "python", "-m", "lab.simulation", "--quick")

"""The Pythons of this machine, each with the newest Django that it runs."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import django

NEWEST = "6.1.3"  # wants Python 3.12
REQUIREMENTS = Path(__file__).resolve().parent.parent.parent / "requirements.txt"


class Python(NamedTuple):
    program: str
    version: str
    django: str

    def __str__(self) -> str:
        return f"Python {self.version}, Django {self.django}"

    def environment(self, folder: Path) -> str:
        """A Python in which `tokens` runs: this one as it is, another in an environment of its own in `folder`."""
        if self.program == sys.executable:
            return self.program
        subprocess.run([self.program, "-m", "venv", folder / "environment"], check=True)
        program = str(folder / "environment/bin/python")
        pyjwt = re.search(r"^pyjwt==\S+", REQUIREMENTS.read_text(), re.MULTILINE)[0].replace("pyjwt", "pyjwt[crypto]")
        subprocess.run(
            [program, "-m", "pip", "install", "-q", f"Django=={self.django}", pyjwt, "argon2-cffi"], check=True
        )
        return program


@cache
def found() -> list[Python]:
    """This Python, and the newest of the others on the path or beside it that run the newest Django."""
    this = Python(sys.executable, ".".join(map(str, sys.version_info[:3])), django.__version__)
    beside = Path(sys.base_prefix).parent.glob("3.*/bin/python3")
    named = filter(None, (shutil.which(f"python3.{minor}") for minor in range(12, 20)))
    others = {
        version: program for program in (*map(str, beside), *named) if (version := version_of(program)) >= (3, 12)
    }
    newest = max(others, default=None)
    if newest is None or this.django == NEWEST:
        return [this]
    return [this, Python(others[newest], ".".join(map(str, newest)), NEWEST)]


def version_of(program: str) -> tuple[int, ...]:
    """What `program` says it is; nothing if it does not run, as a shim whose Python is turned off."""
    code = "import sys, ssl, sqlite3, venv; print(*sys.version_info[:3])"
    said = subprocess.run([program, "-c", code], capture_output=True, text=True)
    return tuple(map(int, said.stdout.split())) if said.returncode == 0 else ()

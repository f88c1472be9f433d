"""The Pythons of this machine, each with the Django that it tries."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import django

from tests.settings import FOLDER

# Both want Python 3.12: one is tried on the oldest that this machine has, the other on the newest.
LATER = {"6.0.10": min, "6.1.3": max}
REQUIREMENTS = Path(__file__).resolve().parent.parent.parent / "requirements.txt"


class Python(NamedTuple):
    program: str
    version: str
    django: str

    def __str__(self) -> str:
        return f"Python {self.version}, Django {self.django}"

    def environment(self) -> str:
        """A Python in which `tokens` runs: this one, or another in an environment that lasts as long as the run."""
        if self.program == sys.executable:
            return self.program
        folder = FOLDER / str(self).replace(" ", "-")
        program = str(folder / "bin/python")
        if not folder.exists():
            subprocess.run([self.program, "-m", "venv", folder], check=True)
            pyjwt = re.search(r"^pyjwt(==\S+)", REQUIREMENTS.read_text(), re.MULTILINE)[1]
            wanted = [f"Django=={self.django}", f"pyjwt[crypto]{pyjwt}", "argon2-cffi"]
            subprocess.run([program, "-m", "pip", "install", "-q", *wanted], check=True)
        return program


@cache
def found() -> list[Python]:
    """This Python with the Django that it has, and others on the path or beside it with those that came later."""
    this = Python(sys.executable, ".".join(map(str, sys.version_info[:3])), django.__version__)
    beside = Path(sys.base_prefix).parent.glob("3.*/bin/python3")
    named = filter(None, (shutil.which(f"python3.{minor}") for minor in range(12, 20)))
    others = {
        version: program for program in (*map(str, beside), *named) if (version := version_of(program)) >= (3, 12)
    }
    chosen = {later: choose(others) for later, choose in LATER.items() if others and later != this.django}
    return [this, *(Python(others[version], ".".join(map(str, version)), later) for later, version in chosen.items())]


def version_of(program: str) -> tuple[int, ...]:
    """What `program` says it is; nothing if it does not run, as a shim whose Python is turned off."""
    code = "import sys, ssl, sqlite3, venv; print(*sys.version_info[:3])"
    said = subprocess.run([program, "-c", code], capture_output=True, text=True)
    return tuple(map(int, said.stdout.split())) if said.returncode == 0 else ()

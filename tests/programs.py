"""Python programs that tests run to their end, in the repository."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: str | Path, env: Mapping[str, str], timeout: float = 100) -> subprocess.CompletedProcess[str]:
    """What became of Python with these arguments, in this environment."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=timeout)


def output_of(*arguments: str | Path, env: Mapping[str, str], timeout: float = 100) -> str:
    """What it prints; it has to end well."""
    done = run(*arguments, env=env, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

"""What the figures were measured with. Nothing of it says whose machine it is."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("Django", "gunicorn", "uvicorn", "PyJWT", "djangorestframework-simplejwt", "django-allauth", "psycopg")


def load() -> float:
    """Return how many programs were at work within the last minute; to be asked before a run begins."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def words(postgresql: str, load: float) -> str:
    """Return a sentence: cores, CPU, how busy they were before, system, Python, PostgreSQL and packages."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores of {_cpu()}, their load before it {load:.1f}, {platform.system()},"
        f" Python {platform.python_version()}, PostgreSQL {postgresql}; {packages}."
    )


def _cpu() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())

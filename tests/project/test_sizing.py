"""The sizes that the server takes, and the memory that its container has."""

import runpy
from pathlib import Path

import pytest
from django.conf import settings

from project import sizing

pytestmark = pytest.mark.once


def test_gunicorns_configuration_has_the_same_threads(monkeypatch):
    for workers in ("", *map(str, range(1, 40))):
        monkeypatch.setenv("WEB_CONCURRENCY", workers)
        path = str(Path(settings.BASE_DIR) / "ops/gunicorn.conf.py")
        assert runpy.run_path(path)["threads"] == sizing.threads(sizing.workers())


@pytest.mark.parametrize(("contents", "limit"), [("1073741824\n", 1024), ("max\n", None), (None, None)])
def test_memory_is_read_from_the_control_group(monkeypatch, tmp_path, contents, limit):
    path = tmp_path / "memory.max"
    if contents:
        path.write_text(contents)
    monkeypatch.setattr(sizing, "MEMORY_LIMITS", (path,))
    assert sizing.memory_limit() == limit

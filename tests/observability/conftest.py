"""Everything that is logged, down to DEBUG, as the two forms write it; and what Prometheus reads."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from accounts.db_metrics import db_metrics
from project import logs
from tokens.testing import Client

METRICS = {"authorization": "Bearer let-me-read"}


class Written:
    """What came out so far."""

    def __init__(self) -> None:
        self.handlers = {form: logging.StreamHandler(io.StringIO()) for form in logs.FORMS}
        for form, handler in self.handlers.items():
            handler.setFormatter(logs.formatter(form))

    @property
    def text(self) -> str:
        return self.handlers["text"].stream.getvalue()

    @property
    def json(self) -> str:
        return self.handlers["json"].stream.getvalue()

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.json.split("\n") if line]

    def of(self, event: str) -> list[dict[str, object]]:
        return [line for line in self.lines if line["event"] == event]


@pytest.fixture
def written(monkeypatch) -> Iterator[Written]:
    written = Written()
    for logger in (logging.getLogger(), *map(logging.getLogger, sorted(logging.root.manager.loggerDict))):
        monkeypatch.setattr(logger, "level", logging.DEBUG)
        if logger.parent is None or not logger.propagate:
            monkeypatch.setattr(logger, "handlers", [*logger.handlers, *written.handlers.values()])
    logging.root.manager._clear_cache()  # of the levels that were enabled
    yield written
    monkeypatch.undo()
    logging.root.manager._clear_cache()


@pytest.fixture
def metrics(settings) -> Callable[[], list[Metric]]:
    """`metrics()`: the families of the site's own metrics, as Prometheus reads them."""
    settings.METRICS_TOKEN = "let-me-read"
    db_metrics.forget()

    def metrics() -> list[Metric]:
        response = Client().get("/metrics", headers=METRICS)
        assert response.status_code == 200 and not response.cookies
        families = text_string_to_metric_families(response.content.decode())
        return [family for family in families if family.name.startswith("sojourn_")]

    return metrics

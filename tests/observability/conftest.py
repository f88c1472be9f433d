"""Everything that is logged, down to DEBUG, as the two forms write it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from project import logs


class Written:
    """What came out so far."""

    def __init__(self) -> None:
        self.handlers = {}
        for form in logs.FORMS:
            self.handlers[form] = logging.StreamHandler(io.StringIO())
            self.handlers[form].setFormatter(logs.formatter(form))

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
def written() -> Iterator[Written]:
    written = Written()
    every = [logging.getLogger(), *map(logging.getLogger, sorted(logging.root.manager.loggerDict))]
    before = {logger: logger.level for logger in every}
    ends = [logger for logger in every if logger.parent is None or not logger.propagate]
    for logger in every:
        logger.setLevel(logging.DEBUG)
    for logger in ends:
        for handler in written.handlers.values():
            logger.addHandler(handler)
    yield written
    for logger in ends:
        for handler in written.handlers.values():
            logger.removeHandler(handler)
    for logger, level in before.items():
        logger.setLevel(level)

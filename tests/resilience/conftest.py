"""Installations of the site for one test each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.resilience import database
from tests.resilience.server import Site


@pytest.fixture
def installed(tmp_path) -> Iterator[Callable[..., Site]]:
    """`installed(database_url, NAME=value)`: a site under this environment; all its processes end with the test."""
    with ExitStack() as stack:
        yield lambda url, **environment: stack.enter_context(Site(tmp_path, url, **environment))


@pytest.fixture
def postgres_database(postgres_url) -> Iterator[str]:
    """The URL of a PostgreSQL database for one test."""
    with database.one_more(postgres_url) as url:
        yield url

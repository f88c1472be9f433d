"""The database is away."""

from contextlib import AbstractContextManager
from typing import Any

from django.db import OperationalError, connection


def gone(error: type[Exception] = OperationalError) -> AbstractContextManager[None]:
    """Every query of this thread fails, as it does when the server has gone."""

    def refuse(*args: Any) -> None:
        raise error("the server has gone")

    return connection.execute_wrapper(refuse)

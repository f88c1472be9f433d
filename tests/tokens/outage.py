"""The database is away."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import OperationalError, connection


def gone(error: type[Exception] = OperationalError) -> AbstractContextManager[None]:
    """Every query of this thread fails, as it does when the server has gone."""

    def refuse(*args: Any) -> None:
        raise error("the server has gone")

    return connection.execute_wrapper(refuse)


@contextmanager
def failing_at(number: int) -> Iterator[list[str]]:
    """The statement of this number fails, and no other. Yields a list that then holds it."""
    asked: list[str] = []
    failed: list[str] = []

    def execute(proceed: Any, sql: str, *arguments: Any) -> Any:
        asked.append(sql)
        if len(asked) == number:
            failed.append(sql)
            raise OperationalError("the connection was lost")
        return proceed(sql, *arguments)

    with connection.execute_wrapper(execute):
        yield failed

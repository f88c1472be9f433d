"""Statements that every refresh or sign-in runs. The ORM builds them once: that takes longer than to run several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from datetime import UTC
from typing import Any, NamedTuple

from django.db import NotSupportedError, connections, models
from django.db.models.expressions import Expression
from django.db.models.sql import Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

from .. import users


class Parameter(Expression):
    """Stand in a queryset for the value `name` that each run of a statement gives, as one of `field`."""

    def __init__(self, name: str, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


class Built(NamedTuple):
    """A statement as it is for one database."""

    compiler: SQLCompiler
    sql: str
    params: tuple[object, ...]
    converted: list[Any]  # what each column has to be converted for, or None; empty if no column has to be


class Prepared:
    """A statement over the rows that `build` returns: a SELECT, or an UPDATE if it `sets` fields.

    Outside of transactions, PostgreSQL plans it once for each connection if the OPTIONS of the database have a
    `prepare_threshold`.
    """

    def __init__(self, build: Callable[[], models.QuerySet[Any]], **sets: models.F | Parameter) -> None:
        self._build, self._sets = build, sets
        self._built: dict[str, Built] = {}

    def select(self, using: str, **values: object) -> list[tuple[Any, ...]]:
        """Return what the queryset would with these values, of which a `values_list()` asks."""
        built = self._built_for(using)
        rows: Iterable[Any] = self._run(using, built, values, lambda cursor: cursor.fetchall())
        if built.converted:
            compiler = copy(built.compiler)
            compiler.connection = connections[using]  # that of this thread
            rows = compiler.apply_converters(rows, compiler.get_converters(built.converted))
        return list(rows)

    def first(self, using: str, **values: object) -> Any:
        """Return the first instance, of a queryset that asks for the `users.columns()` of its model, or None."""
        for found in self.select(using, **values):
            model: Any = self._built_for(using).compiler.query.model
            return users.instance_of(model, using, dict(zip(users.columns(model), found, strict=True)))
        return None

    def update(self, using: str, **values: object) -> int:
        """Change the rows. Return how many there were."""
        return int(self._run(using, self._built_for(using), values, lambda cursor: cursor.rowcount))

    def _run(self, using: str, built: Built, values: dict[str, object], result: Callable[[Any], Any]) -> Any:
        connection = connections[using]
        params: Any = [
            each.output_field.get_db_prep_value(values[each.name], connection) if isinstance(each, Parameter) else each
            for each in built.params
        ]
        with connection.cursor() as cursor:
            if _is_prepared_by_server(connection):
                plain, cursor.cursor = cursor.cursor, _take_server_cursor(connection, built.sql)
                try:
                    cursor.execute(built.sql, params)
                    return result(cursor)
                except NotSupportedError:  # a migration has changed the type of a column since it was planned
                    pass
                finally:
                    _server_cursors(connection)[built.sql], cursor.cursor = cursor.cursor, plain
            cursor.execute(built.sql, params)
            return result(cursor)

    def _built_for(self, using: str) -> Built:
        if using not in self._built:
            query: Query = self._build().using(using).query
            if self._sets:
                query = query.chain(UpdateQuery)
                query.add_update_values(self._sets)  # type: ignore[attr-defined]
            compiler = query.get_compiler(using)
            sql, params = compiler.as_sql()
            columns = [column for column, *_ in compiler.select or ()]
            converters = compiler.get_converters(columns)
            converted = [each if place in converters else None for place, each in enumerate(columns)]
            self._built[using] = Built(compiler, sql, params, converted if converters else [])
            compiler.connection = None  # a thread that ends takes its connection along
        return self._built[using]


def _is_prepared_by_server(connection: Any) -> bool:
    threshold = connection.settings_dict["OPTIONS"].get("prepare_threshold")
    if connection.vendor != "postgresql" or threshold is None:
        return False
    # A log would have no text. In a transaction, a plan that a migration has made useless would be the end of it.
    return not (connection.queries_logged or connection.in_atomic_block)


def _take_server_cursor(connection: Any, sql: str) -> Any:
    """Return a cursor that sends a statement apart from its parameters, as it can be planned only so.

    Each statement has its own for as long as the connection lives: psycopg keeps in it how to convert the columns. It
    is taken out while it is used, so that threads that share a connection do not read each other's rows.
    """
    from django.db.backends.postgresql.base import ServerBindingCursor  # type: ignore[attr-defined]
    from psycopg.types.datetime import TimestamptzLoader

    cursor = _server_cursors(connection).pop(sql, None)
    if cursor is None or cursor.connection is not connection.connection:
        cursor = ServerBindingCursor(connection.connection)
        if connection.timezone is UTC:  # what Django's loader sets in Python, psycopg's own reads in C
            cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
    return cursor


def _server_cursors(connection: Any) -> dict[str, Any]:
    cursors: dict[str, Any] = vars(connection).setdefault("_tokens_cursors", {})
    return cursors

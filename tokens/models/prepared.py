"""Statements that every refresh runs. The ORM builds them once, as that takes several times as long as to run one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any, NamedTuple

import django
from django.db import NotSupportedError, connections, models
from django.db.models.expressions import Expression
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]
from django.db.models.sql import Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

# How Django 6.1 loads what was deferred, which it wants to know.
FETCH_MODE = (models.FETCH_ONE,) if django.VERSION >= (6, 1) else ()  # type: ignore[attr-defined]


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

    PostgreSQL plans it once for each connection if the OPTIONS of the database have a `prepare_threshold`.
    """

    def __init__(self, build: Callable[[], models.QuerySet[Any]], **sets: Parameter) -> None:
        self._build, self._sets = build, sets
        self._built: dict[str, Built] = {}

    def select(self, using: str, **values: object) -> list[Any]:
        """Return what the queryset would with these values: instances, or what its `values_list()` asks for."""
        built = self._built_for(using)
        rows: Iterable[Any] = self._run(using, built, values, lambda cursor: cursor.fetchall())
        if built.converted:
            compiler = copy(built.compiler)
            compiler.connection = connections[using]  # that of this thread
            rows = compiler.apply_converters(rows, compiler.get_converters(built.converted))
        return _instances(built.compiler, using, rows) if built.compiler.klass_info else list(rows)

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
            if _is_prepared_by_server(connection) and not connection.queries_logged:  # which would log no text
                plain, cursor.cursor = cursor.cursor, _server_cursor(connection)
                try:
                    cursor.execute(built.sql, params)
                    return result(cursor)
                except NotSupportedError:  # a migration has changed the type of a column since it was planned
                    cursor.cursor = plain
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


def _instances(compiler: SQLCompiler, using: str, rows: Iterable[Any]) -> list[Any]:
    """Return what Django's ModelIterable makes of `rows`."""
    info, select = compiler.klass_info, compiler.select
    own = slice(info["select_fields"][0], info["select_fields"][-1] + 1)
    names = [column.target.attname for column, *_ in select[own]]
    populators = get_related_populators(info, select, using, *FETCH_MODE)
    found = []
    for row in rows:
        instance = info["model"].from_db(using, names, row[own])
        for populator in populators:
            populator.populate(row, instance)
        for name, place in compiler.annotation_col_map.items():
            setattr(instance, name, row[place])
        found.append(instance)
    return found


def _is_prepared_by_server(connection: Any) -> bool:
    threshold = connection.settings_dict["OPTIONS"].get("prepare_threshold")
    return connection.vendor == "postgresql" and threshold is not None


def _server_cursor(connection: Any) -> Any:
    """Return a cursor that sends a statement apart from its parameters, as it can be planned only so."""
    from django.db.backends.postgresql.base import ServerBindingCursor  # type: ignore[attr-defined]

    return ServerBindingCursor(connection.connection)

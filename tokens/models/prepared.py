"""Statements that every refresh runs. The ORM builds them once, as that takes several times as long as to run one."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, NamedTuple

from django.db import connections, models
from django.db.models.expressions import Expression
from django.db.models.sql import Query, UpdateQuery
from django.db.models.sql.compiler import SQLCompiler


class Parameter(Expression):
    """Stand in a queryset for the value `name` that each run of a statement gives, as one of `field`."""

    def __init__(self, name: str, field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


class Built(NamedTuple):
    """A statement as it is for one database."""

    rows: models.QuerySet[Any]
    compiler: SQLCompiler
    sql: str
    params: tuple[object, ...]


class Prepared:
    """A statement over the rows that `build` returns: a SELECT, or an UPDATE if it `sets` fields."""

    def __init__(self, build: Callable[[], models.QuerySet[Any]], **sets: Parameter) -> None:
        self._build, self._sets = build, sets
        self._built: dict[str, Built] = {}

    def select(self, using: str, **values: object) -> list[Any]:
        """Return what the queryset would with these values: instances, or what its `values_list()` asks for."""
        built = self._built_for(using)
        compiler = copy(built.compiler)
        compiler.connection = connections[using]  # that of this thread
        compiler.as_sql = lambda *args, **kwargs: (built.sql, self._filled(built, using, values))  # type: ignore[method-assign]
        rows = built.rows.all()
        rows.query.get_compiler = lambda *args, **kwargs: compiler  # type: ignore[method-assign]
        return list(rows)

    def update(self, using: str, **values: object) -> int:
        """Change the rows. Return how many there were."""
        built = self._built_for(using)
        with connections[using].cursor() as cursor:
            cursor.execute(built.sql, self._filled(built, using, values))
            return int(cursor.rowcount)

    def _built_for(self, using: str) -> Built:
        if using not in self._built:
            rows = self._build().using(using)
            query: Query = rows.query
            if self._sets:
                query = query.chain(UpdateQuery)
                query.add_update_values(self._sets)  # type: ignore[attr-defined]
            compiler = query.get_compiler(using)
            self._built[using] = Built(rows, compiler, *compiler.as_sql())
            compiler.connection = None  # a thread that ends takes its connection along
        return self._built[using]

    def _filled(self, built: Built, using: str, values: dict[str, object]) -> tuple[Any, ...]:
        connection = connections[using]
        return tuple(
            each.output_field.get_db_prep_value(values[each.name], connection) if isinstance(each, Parameter) else each
            for each in built.params
        )

"""A row and the one that a foreign key of it names, by a SELECT that is written once.

Django takes ten times longer to write such a statement than a database to answer it, and each refresh needs one. So
its compiler writes it once for each thread, as there are connections; what comes back is made into instances by the
same converters and the same `from_db` as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from django.db import connections, models


class Joined:
    """The rows of `model` with what its foreign key `relation` names, by the primary keys of both."""

    def __init__(self, model: type[models.Model], relation: str) -> None:
        self._model = model
        self._relation: Any = model._meta.get_field(relation)
        self._local = threading.local()

    def find(self, using: str, pk: Any, related: Any) -> Any:
        """The instance whose key is `pk`, if it names the one whose key is `related`; or None."""
        statement = vars(self._local).get(using) or self._write(using, pk, related)
        connection = connections[using]
        fields = (self._model._meta.pk, self._relation)
        keys = [field.get_db_prep_value(key, connection) for field, key in zip(fields, (pk, related), strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, keys)
            found = cursor.fetchall()
        for values in statement.convert(found, statement.converters):
            return self._made(using, statement.names, values)
        return None

    def _write(self, using: str, pk: Any, related: Any) -> _Statement:
        rows = self._model._base_manager.using(using).select_related(self._relation.name)
        compiler = rows.filter(pk=pk).filter(**{self._relation.attname: related}).query.get_compiler(using)
        sql, _ = compiler.as_sql()
        columns = [column for column, *_ in compiler.select]
        names = [column.target.attname for column in columns]
        statement = _Statement(sql, names, compiler.get_converters(columns), compiler.apply_converters)
        vars(self._local)[using] = statement
        return statement

    def _made(self, using: str, names: list[str], values: list[Any]) -> models.Model:
        own = len(self._model._meta.concrete_fields)
        row = self._model.from_db(using, names[:own], values[:own])
        other = self._relation.related_model.from_db(using, names[own:], values[own:])
        self._relation.set_cached_value(row, other)
        return row


class _Statement(NamedTuple):
    sql: str
    names: list[str]
    converters: Any
    convert: Callable[..., Any]

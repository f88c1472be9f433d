"""Add and remove indexes while people sign in.

On PostgreSQL that is CREATE INDEX CONCURRENTLY; elsewhere the database's one way. Those of django.contrib.postgres
refuse other databases, and need psycopg. The underscore keeps Django from taking this file for a migration.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations import AddIndex, RemoveIndex
from django.db.models import Index, Model


class AddIndexConcurrently(AddIndex):
    """Add an index; the migration has `atomic = False`, and nothing in it but such operations.

    It can be run again: a valid index of that name is taken, and what an interrupted run has left is replaced.
    """

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            _add(schema_editor, model, self.index)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            _remove(schema_editor, model, self.index)


class RemoveIndexConcurrently(RemoveIndex):
    """Remove an index; the migration has `atomic = False`, and nothing in it but such operations."""

    atomic = False

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            _remove(schema_editor, model, self._index(from_state, app_label))

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            _add(schema_editor, model, self._index(to_state, app_label))

    def _index(self, state: Any, app_label: str) -> Index:
        index: Index = state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        return index


def _add(schema_editor: Any, model: type[Model], index: Index) -> None:
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.add_index(model, index)
        return
    valid = None if schema_editor.collect_sql else _is_valid(schema_editor.connection, index.name)
    with _patient(schema_editor):
        if valid is False:
            schema_editor.remove_index(model, index, concurrently=True)
        if not valid:
            schema_editor.add_index(model, index, concurrently=True)


def _remove(schema_editor: Any, model: type[Model], index: Index) -> None:
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.remove_index(model, index)
        return
    with _patient(schema_editor):
        schema_editor.remove_index(model, index, concurrently=True)


def _is_valid(connection: BaseDatabaseWrapper, name: str) -> bool | None:
    """Return whether the index is complete, or None if there is none of that name."""
    with connection.cursor() as cursor:
        name = connection.ops.quote_name(name)
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        row = cursor.fetchone()
    return row and bool(row[0])


@contextmanager
def _patient(schema_editor: Any) -> Iterator[None]:
    """Wait for transactions under way as long as they take: nobody has to wait behind this statement meanwhile.

    Not behind a pooler in transaction mode, where somebody else's transaction would meet these settings.
    """
    timeouts = ("lock_timeout", "statement_timeout")
    if schema_editor.collect_sql or schema_editor.connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        yield
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s), current_setting(%s)", timeouts)
        before = cursor.fetchone()
        set_both = "SELECT set_config(%s, %s, false), set_config(%s, %s, false)"
        cursor.execute(set_both, [timeouts[0], "0", timeouts[1], "0"])
        try:
            yield
        finally:
            cursor.execute(set_both, [timeouts[0], before[0], timeouts[1], before[1]])

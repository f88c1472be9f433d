"""Every migration since the first release lets people sign in while it runs, and the release before it run on after it.

What is listed as harmless passes, and nothing else: a tool that looks for what is known to be harmful would let pass
what it has not heard of.
"""

from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now, Random

from tokens.migrations._operations import AddIndexConcurrently, RemoveIndexConcurrently
from tokens.models import RefreshToken

pytestmark = pytest.mark.once

APPS = ("tokens", "accounts")
# By the name of a migration, such as "accounts.0003_drop_name": why it is harmless all the same.
HARMLESS: dict[str, str] = {}

WHILE_IT_RUNS = (AddIndexConcurrently, RemoveIndexConcurrently, migrations.RunPython, migrations.RunSQL)
STATE_ONLY = (migrations.AlterModelOptions, migrations.AlterModelManagers)
OF_A_NEW_TABLE = (migrations.AddField, migrations.AddIndex, migrations.AddConstraint)


def faults(migration: migrations.Migration, before: ProjectState) -> Iterator[str]:
    """Yield why the migration may lock people out, or break the release before it. `before` is the state before it."""
    operations = [part for operation in migration.operations for part in on_the_database(operation)]
    new = {operation.name_lower for operation in operations if isinstance(operation, migrations.CreateModel)}
    for operation in operations:
        name = type(operation).__name__
        if isinstance(operation, WHILE_IT_RUNS):
            if migration.atomic or not all(isinstance(other, WHILE_IT_RUNS) for other in operations):
                yield f"{name} belongs into a migration of its own, with atomic = False"
        elif isinstance(operation, OF_A_NEW_TABLE) and operation.model_name_lower in new:
            continue
        elif isinstance(operation, migrations.AddField):
            yield from faults_of_column(operation.field)
        elif isinstance(operation, migrations.AlterField):
            model = before.models[migration.app_label, operation.model_name_lower]
            if column(model.fields[operation.name]) != column(operation.field):
                yield "AlterField changes the column: add another, and fill it by RunPython"
        elif isinstance(operation, migrations.AddIndex):
            yield "AddIndex locks the table: use AddIndexConcurrently (tokens/migrations/_operations.py)"
        elif not isinstance(operation, (migrations.CreateModel, *STATE_ONLY)):
            yield f"{name} is not known to be harmless"


def on_the_database(operation: Operation) -> list[Operation]:
    """Return what the operation does to the database."""
    separate = isinstance(operation, migrations.SeparateDatabaseAndState)
    return operation.database_operations if separate else [operation]


def faults_of_column(field: models.Field) -> Iterator[str]:
    if field.many_to_many:  # a table of its own
        return
    if isinstance(field, models.GeneratedField):
        yield "a generated column rewrites the table"
    elif field.has_db_default():
        if getattr(field.db_default, "resolve_expression", None) and not isinstance(
            field.db_default, models.Value | Now
        ):
            yield "db_default differs from row to row, so it rewrites the table"
    elif not field.null:
        yield "the release before inserts rows without the column: null=True or db_default"
    if field.unique or field.db_index:
        yield "db_index and unique lock the table: use AddIndexConcurrently (of a ForeignKey with db_index=False)"


def column(field: models.Field) -> tuple[object, ...]:
    """Return what the database knows of a field."""
    _, path, args, kwargs = field.deconstruct()
    return path, args, {name: value for name, value in kwargs.items() if name not in field.non_db_attrs}


def since_the_first(app: str) -> Iterator[tuple[migrations.Migration, ProjectState]]:
    """Yield each migration that follows 0001_initial, and the state before it."""
    loader = MigrationLoader(None)
    [leaf] = loader.graph.leaf_nodes(app)
    own = [key for key in loader.graph.forwards_plan(leaf) if key[0] == app]
    for previous, key in pairwise(own):
        yield loader.graph.nodes[key], loader.project_state(previous)


@pytest.mark.parametrize("app", APPS)
def test_no_migration_locks_people_out_or_breaks_the_release_before(app):
    found = {str(migration): list(faults(migration, before)) for migration, before in since_the_first(app)}
    assert {name: reasons for name, reasons in found.items() if reasons and name not in HARMLESS} == {}


def of_row(cls: type[Operation], *arguments: object) -> Operation:
    return cls("refreshtoken", *arguments)


INDEX = models.Index(fields=["jti"], name="of_jti")
USER = "accounts.User"
TO_USER = {"to": USER, "on_delete": models.CASCADE, "null": True}
LONGER, RENAMED = models.CharField(max_length=99, blank=True), models.CharField("title", max_length=60, blank=True)
TABLE = migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))])


def nothing(apps: object, schema_editor: object) -> None:
    pass


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        ([of_row(migrations.AddIndex, INDEX)], "AddIndex locks"),
        ([of_row(AddIndexConcurrently, INDEX)], "atomic = False"),
        ([migrations.RunPython(nothing), of_row(migrations.AddField, "a", models.TextField(null=True))], "its own"),
        ([of_row(migrations.AddField, "a", models.TextField(default=""))], "inserts rows without"),
        ([of_row(migrations.AddField, "a", models.FloatField(db_default=Random()))], "row to row"),
        ([of_row(migrations.AddField, "a", models.TextField(null=True, unique=True))], "unique"),
        ([of_row(migrations.AddField, "a", models.ForeignKey(**TO_USER))], "ForeignKey"),
        (
            [
                of_row(
                    migrations.AddField,
                    "a",
                    models.GeneratedField(
                        expression=models.F("name"), output_field=models.TextField(), db_persist=True
                    ),
                )
            ],
            "generated",
        ),
        ([of_row(migrations.AlterField, "name", LONGER)], "AlterField changes"),
        ([of_row(migrations.RemoveField, "name")], "RemoveField"),
        ([of_row(migrations.RenameField, "name", "title")], "RenameField"),
        ([of_row(migrations.AddConstraint, models.UniqueConstraint(fields=["jti"], name="one"))], "AddConstraint"),
        ([migrations.DeleteModel("RefreshToken")], "DeleteModel"),
        (
            [migrations.SeparateDatabaseAndState(database_operations=[of_row(migrations.RemoveField, "name")])],
            "RemoveField",
        ),
    ],
)
def test_what_locks_or_breaks_is_refused(operations, reason):
    assert reason in "\n".join(judge(operations))


@pytest.mark.parametrize(
    ("operations", "atomic"),
    [
        ([of_row(AddIndexConcurrently, INDEX), of_row(RemoveIndexConcurrently, "tokens_expires_at")], False),
        ([migrations.RunPython(nothing)], False),
        ([of_row(migrations.AddField, "a", models.TextField(null=True))], True),
        ([of_row(migrations.AddField, "a", models.BooleanField(db_default=False))], True),
        ([of_row(migrations.AddField, "a", models.DateTimeField(db_default=Now()))], True),
        ([of_row(migrations.AddField, "a", models.ForeignKey(**TO_USER, db_index=False))], True),
        ([of_row(migrations.AddField, "a", models.ManyToManyField(USER))], True),
        ([TABLE, migrations.AddField("new", "a", models.ForeignKey(USER, models.CASCADE))], True),
        ([TABLE, migrations.AddIndex("new", models.Index(fields=["id"], name="of_id"))], True),
        ([of_row(migrations.AlterField, "name", RENAMED)], True),
        ([migrations.AlterModelOptions("refreshtoken", {"verbose_name": "session"})], True),
        ([migrations.SeparateDatabaseAndState(state_operations=[of_row(migrations.RemoveField, "name")])], True),
    ],
)
def test_what_is_harmless_passes(operations, atomic):
    assert judge(operations, atomic=atomic) == []


def judge(operations: list[Operation], *, atomic: bool = True) -> list[str]:
    migration = SimpleNamespace(operations=operations, atomic=atomic, app_label="tokens")
    return list(faults(migration, ProjectState.from_apps(RefreshToken._meta.apps)))

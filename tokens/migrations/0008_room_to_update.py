from typing import Any

from django.db import migrations


def leave_room(apps: Any, schema_editor: Any) -> None:
    """On PostgreSQL a page keeps a tenth of itself free, so that a row that is confirmed or seen finds room in its own
    page and no index has to hear of it (a HOT update). Pages that are full already get theirs as they are updated."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE tokens_refreshtoken SET (fillfactor = 90)")


def fill(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE tokens_refreshtoken RESET (fillfactor)")


class Migration(migrations.Migration):

    dependencies = [
        ("tokens", "0007_method_index"),
    ]

    operations = [migrations.RunPython(leave_room, fill)]

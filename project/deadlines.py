"""Have the database give up in time for an answer, where requests are served.

Commands wait as long as it takes: they call none of this.
"""

from django.conf import settings


def set_deadlines() -> None:
    """Hand DATABASE_DEADLINES to the connections that this process will open.

    A pooler in transaction mode refuses PostgreSQL's; DISABLE_SERVER_SIDE_CURSORS is Django's sign of one.
    """
    database = settings.DATABASES["default"]
    options = database.setdefault("OPTIONS", {})
    if not database["ENGINE"].endswith("postgresql"):
        options |= settings.DATABASE_DEADLINES
    elif not database.get("DISABLE_SERVER_SIDE_CURSORS"):
        given = [f"-c {name}={value}" for name, value in settings.DATABASE_DEADLINES.items()]
        options["options"] = " ".join([*given, options.get("options", "")])

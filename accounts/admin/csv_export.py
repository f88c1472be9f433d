"""Export security events for a spreadsheet, as CSV (RFC 4180) that is streamed while it is read."""

import csv
import re
from collections.abc import Iterator
from itertools import chain

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from accounts.models import SecurityEvent

MAX_EVENTS = 100_000  # They are sent within the 30 seconds after which servers abort a request.
COLUMNS = (
    *("created_at", "kind", "what", "user", "username", "actor", "actor_username"),
    *("ip_address", "user_agent", "session_id", "method", "amr"),
)

# Spreadsheets treat cells that begin like this as formulas (OWASP: CSV Injection), and clients choose their User-Agent.
# Where a comma is in decimals they split at semicolons, and a cell may begin in the middle of one of ours.
_FORMULA = re.compile('(?:^|(?<=[;,|\t\r\n"]))(?=[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-])')
_CHUNK_SIZE = 2_000


def download(events: "QuerySet[SecurityEvent]") -> StreamingHttpResponse:
    """Return the first MAX_EVENTS of `events` in their order, below a line with the names of the columns."""
    name = f"security-events-{timezone.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_lines(events), content_type="text/csv; charset=utf-8", headers=headers)


def cell(value: object) -> str:
    """Return `value` as text that no spreadsheet reads as a formula."""
    return "" if value is None else _FORMULA.sub("'", str(value))


def _lines(events: "QuerySet[SecurityEvent]") -> Iterator[str]:
    """Yield the lines of the file."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    found = events.select_related("user", "actor")[:MAX_EVENTS].iterator(chunk_size=_CHUNK_SIZE)
    for row in chain([COLUMNS], map(_row, found)):
        yield writer.writerow(map(cell, row))


def _row(event: SecurityEvent) -> tuple[object, ...]:
    return (
        *(event.created_at.isoformat(), event.kind, event.get_kind_display()),
        *(event.user_id, event.user and event.user.username, event.actor_id, event.actor and event.actor.username),
        *(event.ip_address, event.user_agent, event.session_id, event.method, event.amr),
    )


class _Echo:
    """Return what is written to it, in place of a file."""

    def write(self, line: str) -> str:
        return line

from __future__ import annotations

import json
import sys
from argparse import SUPPRESS
from getpass import getpass
from time import time

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...core.exceptions import InvalidKeys
from ..inspection import Inspection, inspect

MOST = 16 * 1024  # bytes; servers take no longer header
WIDEST = 300  # characters of one claim


class Command(BaseCommand):
    help = (
        "Says what is in a token, who signed it, whether it would be taken, and if not, why. Reads it from standard "
        "input or asks for it, so that it stays in no history; shows neither it nor its signature. Whatever is not "
        "plain ASCII is shown escaped. Exit code 1: it would not be taken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", nargs="*", help=SUPPRESS)
        parser.add_argument("--token", dest="option", help=SUPPRESS)

    def handle(self, *args: object, token: list[str], option: str | None, **options: object) -> None:
        if token or option:
            raise CommandError(
                "A token is read from standard input: on a command line it stays in the shell's history and is seen "
                "by other programs. If that one is real, end its session."
            )
        try:
            found = inspect(_read(), now=time())
        except InvalidKeys as error:
            raise CommandError(str(error)) from error
        self._show(found)
        if found.fault:
            sys.exit(1)

    def _show(self, found: Inspection) -> None:
        for what, members in (("header", found.header), ("claims", found.claims)):
            self.stdout.write(what + ("" if members is not None else ": no JSON object"))
            for name, value in members or ():
                self.stdout.write(f"  {_escaped(name)}: {_escaped(value)}")
        for what in ("kind", "times", "signature", "session"):
            self.stdout.write(f"{what}: {getattr(found, what)}")
        self.stdout.write(f"It would not be taken: {found.fault}" if found.fault else "It would be taken.")


def _read() -> str:
    if sys.stdin.isatty():
        given = getpass("Token (it is not shown): ").encode(errors="replace")
    else:
        given = sys.stdin.buffer.read(MOST + 1)
    if len(given) > MOST:
        raise CommandError(f"That is more than {MOST:,} bytes, and no token.")
    token = given.decode("ascii", errors="replace").strip()
    if not token:
        raise CommandError("No token was given.")
    return token


def _escaped(value: object) -> str:
    """Return `value` as JSON in ASCII: no claim can send control characters to the terminal."""
    text = json.dumps(value)
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}... ({len(text):,} characters)"

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
        "Shows what's in a token, who signed it, whether it would be accepted, and if not, why. Reads the token from "
        "standard input or asks for it, so it doesn't end up in your shell's history. Doesn't show the token or its "
        "signature. Escapes everything but plain ASCII. Exits with 1 if the token would be rejected."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("token", nargs="*", help=SUPPRESS)
        parser.add_argument("--token", dest="option", help=SUPPRESS)

    def handle(self, *args: object, token: list[str], option: str | None, **options: object) -> None:
        if token or option:
            raise CommandError(
                "Pass the token on standard input. On the command line, it stays in your shell's history and other "
                "programs can see it. If this one is real, end its session."
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
        self.stdout.write(f"It would be rejected: {found.fault}" if found.fault else "It would be accepted.")


def _read() -> str:
    if sys.stdin.isatty():
        given = getpass("Token (hidden): ").encode(errors="replace")
    else:
        given = sys.stdin.buffer.read(MOST + 1)
    if len(given) > MOST:
        raise CommandError(f"That's more than {MOST:,} bytes, so it can't be a token.")
    token = given.decode("ascii", errors="replace").strip()
    if not token:
        raise CommandError("You didn't enter a token.")
    return token


def _escaped(value: object) -> str:
    """Return `value` as JSON in ASCII: no claim can send control characters to the terminal."""
    text = json.dumps(value)
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}... ({len(text):,} characters)"

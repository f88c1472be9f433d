from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from time import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...conf import conf
from ...core import keyfile
from ...core import keys as jwks
from ...core.exceptions import InvalidKeys


class Command(BaseCommand):
    help = (
        "Creates, lists, rotates, retires, replaces and checks the keys that sign tokens (TOKENS_KEYS). "
        "Never shows a private key."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  (it mends what they complain of)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", help="the JWK Set (default: the file in TOKENS_KEYS)")
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="create a file with a current and a next key")
        create.add_argument("alg", choices=list(jwks.KINDS))
        verbs.add_parser("list", help="show kid, algorithm and state of each key")
        rotate = verbs.add_parser("rotate", help="make next current, current previous, and add a new next key")
        retire = verbs.add_parser("retire", help="remove a previous key once the last token it signed has expired")
        retire.add_argument("kid", help="the key's ID; put `--` before one that starts with a hyphen")
        replace = verbs.add_parser("replace", help="after a leak: replace all keys; everyone has to sign in again")
        verbs.add_parser("check", help="check that the file works")
        for verb in (create, rotate, retire, replace):
            verb.add_argument("--dry-run", action="store_true", help="show what would be written without writing it")
        for verb in (rotate, retire):
            verb.add_argument("--force", action="store_true", help="go ahead even if users may have to sign in again")

    def handle(self, *args: object, verb: str, file: str | None, **options: object) -> None:
        name = file or getattr(settings, "TOKENS_KEYS", "")
        if not name:
            raise CommandError("Set the file with --file or the TOKENS_KEYS setting.")
        try:
            getattr(self, f"_{verb}")(Path(name), **options)
        except InvalidKeys as error:
            raise CommandError(str(error)) from error
        except OSError as error:  # which may name a temporary file
            raise CommandError(f"{name}: {error.strerror}.") from error

    def _create(self, path: Path, alg: str, dry_run: bool = False, **_: object) -> None:
        if path.exists():
            raise CommandError(f"{path} already exists.")
        self._write(path, jwks.generate_jwks(alg, int(time())), dry_run)

    def _list(self, path: Path, **_: object) -> None:
        self._show(keyfile.read(path))

    def _write(self, path: Path, keys: jwks.JwkSet, dry_run: bool) -> None:
        if not dry_run:
            keyfile.write(path, keys)
        self._show(keys)
        if dry_run:
            self.stdout.write("Dry run: nothing was written. New keys will get other IDs.")

    def _show(self, keys: jwks.JwkSet) -> None:
        ring = jwks.parse_jwks(keys)
        for entry, key in zip(keys["keys"], ring.verifying.values(), strict=True):
            self.stdout.write(f"{key.kid}  {key.alg:<7}  {entry.get('state', jwks.CURRENT)}")

    def _rotate(self, path: Path, dry_run: bool = False, force: bool = False, **_: object) -> None:
        keys = keyfile.read(path)
        rotated = jwks.rotate_jwks(keys, int(time()))
        if not force:
            _wait_for(jwks.following(keys), jwks.SPREAD, "other services and servers may not know the next key")
        self._write(path, rotated, dry_run)

    def _retire(self, path: Path, kid: str, dry_run: bool = False, force: bool = False, **_: object) -> None:
        keys = keyfile.read(path)
        jwks.parse_jwks(keys)
        if not force:
            lifetime = max(conf.idle_lifetime, conf.browser_lifetime) + jwks.SPREAD
            _wait_for(jwks.previous(keys, kid), lifetime, "people may hold tokens that this key signed")
        self._write(path, jwks.retire_jwk(keys, kid), dry_run)

    def _replace(self, path: Path, dry_run: bool = False, **_: object) -> None:
        alg = jwks.parse_jwks(keyfile.read(path)).current.alg
        self._write(path, jwks.generate_jwks(alg, int(time())), dry_run)

    def _check(self, path: Path, **_: object) -> None:
        count = len(jwks.parse_jwks(keyfile.read(path)).verifying)
        self.stdout.write(f"{path} works: {count} keys.")


def _wait_for(entry: jwks.Jwk, seconds: float, reason: str) -> None:
    """Raise CommandError unless the key has been in its state for so long."""
    if "since" not in entry:
        raise CommandError(f"The file doesn't say since when the key is {entry['state']}: {reason}. --force does it.")
    safe_at = entry["since"] + seconds
    if time() < safe_at:
        until = datetime.fromtimestamp(safe_at, UTC)
        raise CommandError(f"Safe from {until:%Y-%m-%d %H:%M} UTC: until then {reason}. --force does it now.")

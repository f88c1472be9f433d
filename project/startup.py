"""Explain in one sentence why a server cannot start, as the commands of manage.py do, instead of by a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured

# To gunicorn and uvicorn this code means "cannot start", so gunicorn exits instead of retrying forever.
EXIT_CODE = 3


@contextmanager
def exit_if_misconfigured() -> Iterator[None]:
    """Exit if a setting is missing or wrong; a sentence on stderr names it."""
    try:
        yield
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr, flush=True)
        raise SystemExit(EXIT_CODE) from None

"""The site's settings, with a header that says which machine has answered."""

from tests.faults.settings import *  # noqa: F403
from tests.faults.settings import MIDDLEWARE  # type: ignore[attr-defined]

MIDDLEWARE = ["tests.machines.badge.Badge", *MIDDLEWARE]

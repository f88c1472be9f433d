"""The site's settings, with a header that says which machine has answered."""

from tests.resilience.settings import *  # noqa: F403
from tests.resilience.settings import MIDDLEWARE  # type: ignore[attr-defined]

MIDDLEWARE = ["tests.cluster.badge.Badge", *MIDDLEWARE]

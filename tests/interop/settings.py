"""The site's settings, from the environment as in production; a changed file of keys is taken up within a second."""

from tests.interop.home import CHECK_EVERY
from tests.resilience.settings import *  # noqa: F403
from tokens.core import keyfile

keyfile.CHECK_EVERY = CHECK_EVERY

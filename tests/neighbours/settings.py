"""The site's settings, from the environment as in production; a changed file of keys is taken up within a second."""

from tests.faults.settings import *  # noqa: F403
from tests.neighbours.home import LOOK_EVERY
from tokens.core import keyfile

keyfile.LOOK_EVERY = LOOK_EVERY

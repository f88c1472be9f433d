"""The site as people get it, with hashed and compressed files, at a moment of its own.

Pictures that are made on different days show the same days. All processes of a site go by one clock: the machine's,
moved by FACE_SHIFT seconds.
"""

import os
import time

import time_machine

time_machine.travel(time.time() + float(os.environ["FACE_SHIFT"])).start()

from project.settings import *  # noqa: E402, F403
from project.settings import BASE_DIR, PASSWORD_HASHERS, STATICFILES_DIRS, TEMPLATES  # noqa: E402

ROOT_URLCONF = "tests.ui.urls"
TEMPLATES[0]["DIRS"].append(BASE_DIR / "tests/ui/templates")  # type: ignore[attr-defined]
STATICFILES_DIRS = [*STATICFILES_DIRS, BASE_DIR / "tests/ui/static"]
PASSWORD_HASHERS = ["tests.hashers.QuickArgon2Hasher", *PASSWORD_HASHERS[1:]]

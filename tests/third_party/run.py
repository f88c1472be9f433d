"""`python -m tests.third_party.run WALK FOLDER`: a project as `django-admin startproject` makes it, with the settings
that docs/howto/existing-project.md names and those of the walk; then the walk itself, which fails by an exception.

A walk is a module with `walk()`, and imports no models before that; `SETTINGS` and `URLS`, if it has them, are lines
for the two files. With `PLAIN` the project is left as Django made it, and with `SITE` it is this site, with `FILES` by
these alone. Two walks in one folder have one database.
"""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import django
from django.core.management import call_command

ADOPTED = {  # what the document says, in its order
    '    "django.contrib.auth",\n': '    "django.contrib.auth",\n    "tokens",\n',
    "django.contrib.auth.middleware.AuthenticationMiddleware": "tokens.middleware.TokenMiddleware",
}
SETTINGS = """
TOKENS_ISSUER = "https://example.org"
TOKENS_ADOPT_SESSIONS = "sessionid"
"""
OURS = """
ALLOWED_HOSTS = ["testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SECRET_KEY = "of no use anywhere else, and long enough for the checks"
"""


def main(name: str, folder: Path) -> None:
    walk = import_module(f"tests.third_party.walks.{name}")
    if not (folder / "manage.py").exists():
        subprocess.run([sys.executable, "-m", "django", "startproject", "shop", folder], check=True)
    write(folder / "shop", name, walk)
    sys.path.insert(0, str(folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = f"shop.{name}_settings"
    django.setup()
    call_command("check", fail_level="WARNING")
    call_command("migrate", verbosity=0)
    walk.walk()


def write(shop: Path, name: str, walk: ModuleType) -> None:
    """The two files of this walk, from those that Django made."""
    if getattr(walk, "SITE", False):
        os.environ["DATABASE_URL"] = f"sqlite:///{shop}/site.sqlite3"
        if files := getattr(walk, "FILES", {}):
            for file, code in files.items():
                (shop / (f"{name}_settings.py" if file == "settings" else f"{file}.py")).write_text(code)
            return
        settings = f'from tests.settings import *\n{walk.SETTINGS}ROOT_URLCONF = "shop.{name}_urls"\n'
        (shop / f"{name}_settings.py").write_text(settings)
        urls = f"from django.urls import include, path\nfrom project.urls import *\n{walk.URLS}"
        (shop / f"{name}_urls.py").write_text(urls)
        return
    settings = (shop / "settings.py").read_text().replace("'", '"')
    if not getattr(walk, "PLAIN", False):
        for found, wanted in ADOPTED.items():
            assert settings.count(found) == 1, found
            settings = settings.replace(found, wanted)
        settings += SETTINGS
    settings += OURS + f'ROOT_URLCONF = "shop.{name}_urls"\n' + getattr(walk, "SETTINGS", "")
    (shop / f"{name}_settings.py").write_text(settings)
    (shop / f"{name}_urls.py").write_text((shop / "urls.py").read_text() + getattr(walk, "URLS", ""))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

"""Routers: one as in Django's documentation, whose replica is none of the databases here, and one that cannot work."""

import sys
from pathlib import Path

import django.db
from django.contrib.auth.base_user import AbstractBaseUser

import accounts
import tokens

ORM = str(Path(django.db.__file__).parent)
SHOWING = ("/admin/", "/sessionreport.py")  # lists and figures, and what is done from them asks again
OURS = tuple(str(Path(package.__file__).parent) for package in (accounts, tokens))


class Router:
    """Refuse each read of the apps that leaves the database to a router: replicas lag, and they decide by it.

    Reads of other code, such as Django's and that of these tests, are answered as ever.
    """

    def db_for_read(self, model: type, **hints: object) -> str | None:
        frame = sys._getframe(1)
        while frame.f_back and frame.f_code.co_filename.startswith(ORM):
            frame = frame.f_back
        name = frame.f_code.co_filename
        decides = name.startswith(OURS) and not any(part in name for part in SHOWING)
        return "a replica" if decides else None


class UsersElsewhere:
    """Keep users in a database of their own."""

    def db_for_write(self, model: type, **hints: object) -> str | None:
        return "people" if issubclass(model, AbstractBaseUser) else None

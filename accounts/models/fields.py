"""Define the columns whose values are stored in a normal form, whichever way they come in."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.security.normalization import normalize_email, username_key
from accounts.security.validators import validate_deliverable


class EmailField(models.EmailField):  # type: ignore[type-arg]
    """Store an email, and look it up, with its domain normalized."""

    default_validators = [*models.EmailField.default_validators, validate_deliverable]  # noqa: RUF012

    def to_python(self, value: Any) -> Any:
        email = super().to_python(value)
        return normalize_email(email) if email else email

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalize the instance as well, so that it equals its row."""
        setattr(model_instance, self.attname, self.to_python(getattr(model_instance, self.attname)))
        return super().pre_save(model_instance, add)


class UsernameKeyField(models.CharField):  # type: ignore[type-arg]
    """Store what all spellings of a user name share. Databases fold letters each in its own way, SQLite only ASCII."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        """Have it compared as it is: by default, MariaDB and MySQL take é for e."""
        collation = "utf8mb4_bin" if connection.vendor == "mysql" else None
        return {**super().db_parameters(connection), "collation": collation}

    def pre_save(self, model_instance: Any, add: bool) -> str:
        key = username_key(model_instance.username)
        setattr(model_instance, self.attname, key)
        return key

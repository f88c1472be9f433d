"""People, and what their accounts should say."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from django.contrib.auth import get_user_model

from tokens.models import RefreshToken

serial = count()


@dataclass(eq=False)
class Person:
    pk: Any
    name: str
    password: str
    is_active: bool = True
    names: set[str] = field(default_factory=set)  # this one, and those before

    @classmethod
    def new(cls) -> Person:
        name, password = fresh("name"), fresh("password")
        user = get_user_model().objects.create_user(name, f"{name}@example.org", password)
        return cls(user.pk, name, password, names={name})

    @property
    def rows(self) -> Any:
        return RefreshToken.objects.filter(user_id=self.pk)

    @property
    def sids(self) -> set[str]:
        return {str(sid) for sid in self.rows.values_list("pk", flat=True)}

    def user(self) -> Any:
        return get_user_model().objects.get(pk=self.pk)

    def rename(self) -> None:
        self.name = fresh("name")
        self.names.add(self.name)
        self._save(username=self.name)

    def activate(self, is_active: bool, *, behind: bool = False) -> None:
        self.is_active = is_active
        self._save(behind, is_active=is_active)

    def set_password(self, password: str, *, behind: bool = False) -> None:
        self.password = password
        user = self.user()
        user.set_password(password)
        self._save(behind, password=user.password)

    def _save(self, behind: bool = False, **values: Any) -> None:
        """Writes to the account; `behind` Django's back, no signal tells of it."""
        if behind:
            get_user_model().objects.filter(pk=self.pk).update(**values)
            return
        user = self.user()
        for name, value in values.items():
            setattr(user, name, value)
        user.save()


def fresh(what: str) -> str:
    return f"{what}{next(serial)}"

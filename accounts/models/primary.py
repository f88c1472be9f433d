"""Read what decides something where it was written."""

from typing import TypeVar

from django.db import models, router

Model = TypeVar("Model", bound=models.Model)


class PrimaryManager(models.Manager[Model]):
    """Ask the database that is written, unless another one is named: replicas lag, and what is read here decides."""

    def get_queryset(self) -> models.QuerySet[Model]:
        return super().get_queryset().using(self._db or router.db_for_write(self.model))

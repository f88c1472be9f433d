"""Read what decides something where it was written, and tidy up there."""

from typing import TypeVar

from django.db import models, router

Model = TypeVar("Model", bound=models.Model)


PRUNE_BATCH = 100


class PrimaryManager(models.Manager[Model]):
    """Ask the database that is written, unless another one is named: replicas lag, and what is read here decides."""

    def get_queryset(self) -> models.QuerySet[Model]:
        return super().get_queryset().using(self._db or router.db_for_write(self.model))


def prune(old: models.QuerySet[Model]) -> None:
    """Delete the first PRUNE_BATCH of these rows: few, as it is done while somebody waits."""
    rows = old.model._default_manager
    rows.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNE_BATCH])).delete()

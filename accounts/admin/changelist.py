"""Keep lists fast with a million rows: nothing in them reads, counts or sorts all of those."""

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from tokens.admin import OfferedChangeList, OfferedLookups

# The rows that can be paged through: nobody reads more, and counting is slowest where an index is missing.
MAX_LISTED = 2_000


class FirstPagePaginator(Paginator):  # type: ignore[type-arg]
    """Read the first page before counting: if that is all, its length is the count.

    A search that no index supports is then run once, not twice.
    """

    on_first_page = True

    @cached_property
    def first_page(self) -> list[Model]:
        """Return the first page, and one row more if there is one."""
        return list(self.object_list[: self.per_page + 1])

    @cached_property
    def count(self) -> int:
        """Return the number of rows."""
        return (
            len(self.first_page) if self.on_first_page and len(self.first_page) <= self.per_page else self.count_all()
        )

    def count_all(self) -> int:
        """Count the rows in the database."""
        rows = cast(QuerySet[Model], self.object_list)
        return int(rows.order_by().count())

    def page(self, number: int | str) -> "Page[Model]":
        """Return a page, without reading the first one again."""
        page = super().page(number)
        if self.on_first_page and page.number == 1:
            page.object_list = self.first_page[: self.per_page]
        return page


class CappedPaginator(FirstPagePaginator):
    """Count MAX_LISTED rows at most. templates/admin/pagination.html says so if there are more."""

    is_capped = False

    def count_all(self) -> int:
        """Count the rows in the database up to MAX_LISTED."""
        rows = cast(QuerySet[Model], self.object_list)
        number = int(rows.order_by()[: MAX_LISTED + 1].count())
        self.is_capped = number > MAX_LISTED
        return min(number, MAX_LISTED)


class IndexedChangeList(OfferedChangeList):
    """Refuse to sort by columns that offer no such link, and read no page twice."""

    def get_ordering_field(self, field_name: Any) -> Any:
        """Return the field to sort by, but only of a column that may be sorted."""
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None

    def get_results(self, request: HttpRequest) -> None:
        """Use the rows that the paginator has read already."""
        super().get_results(request)
        if self.paginator.on_first_page and not self.multi_page:
            self.result_list = self.paginator.first_page


class LargeTableAdmin(OfferedLookups):
    """Administer a table of any size."""

    paginator: ClassVar[type[FirstPagePaginator]] = CappedPaginator
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return IndexedChangeList

    def get_paginator(
        self, request: HttpRequest, queryset: "QuerySet[Model]", *args: Any, **kwargs: Any
    ) -> FirstPagePaginator:
        paginator = cast(FirstPagePaginator, super().get_paginator(request, queryset, *args, **kwargs))
        paginator.on_first_page = request.GET.get(PAGE_VAR, "1") == "1"
        return paginator

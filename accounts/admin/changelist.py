"""Lists that stay as fast with a million rows: nothing in them reads, counts or sorts all of those."""

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

# Rows that one can leaf through: nobody reads more, and to count takes longest where an index is missing.
LISTED = 2_000


class HeadFirst(Paginator):  # type: ignore[type-arg]
    """Whoever begins to leaf is shown the first page before anything is counted: if that is all, it is the count. What
    no index finds is then looked for once, not twice."""

    begins = True

    @cached_property
    def head(self) -> list[Model]:
        """The first page, and one row more if there is one."""
        return list(self.object_list[: self.per_page + 1])

    @cached_property
    def count(self) -> int:
        return len(self.head) if self.begins and len(self.head) <= self.per_page else self.count_all()

    def count_all(self) -> int:
        rows = cast(QuerySet[Model], self.object_list)
        return int(rows.order_by().count())

    def page(self, number: int | str) -> "Page[Model]":
        page = super().page(number)
        if self.begins and page.number == 1:
            page.object_list = self.head[: self.per_page]
        return page


class FirstRows(HeadFirst):
    """Of LISTED rows at most. templates/admin/pagination.html says so if there are more."""

    has_left_out = False

    def count_all(self) -> int:
        rows = cast(QuerySet[Model], self.object_list)
        number = int(rows.order_by()[: LISTED + 1].count())
        self.has_left_out = number > LISTED
        return min(number, LISTED)


class Frugal(ChangeList):
    """Without a link to sort by a column there is no address that does; and no page is read twice."""

    def get_ordering_field(self, field_name: Any) -> Any:
        return super().get_ordering_field(field_name) if field_name in (self.sortable_by or ()) else None

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.paginator.begins and not self.multi_page:
            self.result_list = self.paginator.head


class LongList(admin.ModelAdmin):  # type: ignore[type-arg]
    paginator: ClassVar[type[HeadFirst]] = FirstRows
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return Frugal

    def get_paginator(self, request: HttpRequest, queryset: "QuerySet[Model]", *args: Any, **kwargs: Any) -> HeadFirst:
        paginator = cast(HeadFirst, super().get_paginator(request, queryset, *args, **kwargs))
        paginator.begins = request.GET.get(PAGE_VAR, "1") == "1"
        return paginator

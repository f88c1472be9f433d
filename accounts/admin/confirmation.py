"""Ask before an action of the admin: whom it concerns, how many, and what will happen."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from accounts.templatetags.way_back import came_from

Action = Callable[..., HttpResponse | None]
Effect = Callable[[QuerySet[Any]], str]

MAX_NAMED = 8
MAX_REASON = 200
_ASKED = {"csrfmiddlewaretoken", "confirmed", "reason"}  # fields of the page itself


def confirmed(question: Any, effect: Effect, *, with_reason: bool = False) -> Callable[[Action], Action]:
    """Have an action ask `question` first, and act once that page is sent: `with_reason`, with a reason.

    The page names the rows that are within reach and says their `effect`, a sentence.
    """

    def decorate(action: Action) -> Action:
        @wraps(action)
        def asked(self: ConfirmationMixin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
            chosen = self.within_reach(request, rows)
            answered = "confirmed" in request.POST and (not with_reason or reason_in(request))
            if answered or not chosen.exists():
                return action(self, request, rows)
            return self.ask(request, str(question), chosen, effect(chosen), with_reason=with_reason)

        return asked

    return decorate


def reason_in(request: HttpRequest) -> str:
    """Return the reason that the administrator has given, on one line.

    Django's history takes what begins with a bracket for JSON of its own, and hides it or fails.
    """
    return " ".join(request.POST.get("reason", "").split()).lstrip("[ ")[:MAX_REASON]


class ConfirmationMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Ask before actions marked `confirmed`, and return to the page that they were chosen on."""

    def within_reach(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return those of `rows` that the administrator may manage."""
        return rows

    def name_of(self, row: Any) -> str:
        """Return what the question calls a row."""
        return str(row)

    def ask(
        self, request: HttpRequest, question: str, rows: QuerySet[Any], effect: str, *, with_reason: bool = False
    ) -> HttpResponse:
        """Return the question, with what was chosen in it: sent again, it is the answer."""
        count = rows.count()
        fields = ((name, value) for name, values in request.POST.lists() for value in values)
        context = {
            **self.admin_site.each_context(request),
            "title": question,
            "opts": self.opts,
            "names": [self.name_of(row) for row in rows[:MAX_NAMED]],
            "left_out": max(0, count - MAX_NAMED),
            "effect": effect,
            "longest_reason": MAX_REASON if with_reason else 0,
            "fields": [(name, value) for name, value in fields if name not in _ASKED],
            "back": came_from(request) or request.get_full_path(),
        }
        return TemplateResponse(request, "admin/confirm_action.html", context)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], **location: object) -> HttpResponse | None:
        """Run the action, and return to the page of the one user or session whose button was pressed."""
        response = super().response_action(request, queryset, **location)
        if isinstance(response, HttpResponseRedirect) and (url := came_from(request)):
            return HttpResponseRedirect(url)
        return response

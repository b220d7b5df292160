"""Live connections: who is connected, from where, to what; closed one by one or all of a person."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from realtime.admin.readonly import ReadOnlyAdmin
from realtime.bans.imposing import RIGHT as RIGHT_TO_BAN
from realtime.fleet.operations import (
    Seen,
    close_connection,
    close_user,
    look_at_connections,
    send_test_frame,
)
from realtime.fleet.sightings import Order, Sighting, Wanted
from realtime.models import LiveConnection
from realtime.protocol.errors import RealtimeError

_ORDERS: dict[str, str] = {
    "newest": "Newest first",
    "behind": "Furthest behind first",
    "buffered": "Most buffered first",
}
_ID = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class _Row:
    """A connection with its person's name, and the page of that person."""

    seen: Sighting
    username: str
    person_page: str


@admin.register(LiveConnection)
class LiveConnectionAdmin(ReadOnlyAdmin):
    """One page. `view` shows it; `change` allows to close and to send."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.connections)
        return [path("", view, name="realtime_liveconnection_changelist")]

    def connections(self, request: HttpRequest) -> HttpResponse:
        """GET: the page, or with `part=table` what of it changes. POST: one of the operations."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._operate(request)
        filters = _Filters.of(request)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            **self._table(request, filters),
            "title": "Live connections",
            "opts": self.opts,
            "filters": filters,
            "orders": _ORDERS,
        }
        whole = request.GET.get("part") != "table"
        name = "connections.html" if whole else "connections_table.html"
        return TemplateResponse(request, f"admin/realtime/{name}", context)

    def _table(self, request: HttpRequest, filters: "_Filters") -> dict[str, Any]:
        context: dict[str, Any] = {
            "may_change": _may_change(request),
            "may_ban": request.user.has_perm(RIGHT_TO_BAN),
            "rows": [],
            "seen": None,
        }
        try:
            seen = look_at_connections(filters.wanted())
        except RealtimeError as error:
            return {**context, "failure": error.message}
        return {**context, "seen": seen, "rows": _rows(seen), "nodes": _nodes(seen, filters)}

    def _operate(self, request: HttpRequest) -> HttpResponse:
        if not _may_change(request):
            raise PermissionDenied
        for name, (operation, done) in _OPERATIONS.items():
            given = request.POST.get(name)
            if given is None:
                continue
            try:
                operation(given)
            except (RealtimeError, ValueError) as error:
                text = getattr(error, "message", "expected the id of a person")
                self.message_user(request, f"Not done: {text}.", messages.ERROR)
            else:
                self.message_user(request, done, messages.SUCCESS)
        here = reverse("admin:realtime_liveconnection_changelist")
        query = request.GET.urlencode()
        return HttpResponseRedirect(f"{here}?{query}" if query else here)


def _may_change(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("realtime.change_liveconnection"))


_OPERATIONS: dict[str, tuple[Callable[[str], None], str]] = {
    "close": (close_connection, "The connection is told to close."),
    "close_person": (
        lambda given: close_user(int(given)),
        "All connections of the person are told to close.",
    ),
    "test": (send_test_frame, "A test frame is sent."),
}


@dataclass(frozen=True, slots=True)
class _Filters:
    """As they stand in the address; `person` is a user name or an id."""

    person: str
    node: str
    order: Order

    @classmethod
    def of(cls, request: HttpRequest) -> "_Filters":
        order: Any = request.GET.get("order")
        return cls(
            request.GET.get("person", "").strip()[:150],
            request.GET.get("node", "").strip()[:48],
            order if order in get_args(Order) else "newest",
        )

    def wanted(self) -> Wanted:
        asked = Wanted(node=self.node or None, order=self.order)
        return replace(asked, user_id=_user_id(self.person)) if self.person else asked


def _user_id(person: str) -> int:
    """0, which nobody has, for a name that is nobody's."""
    model: Any = get_user_model()
    if "\0" not in person:
        found = model._default_manager.filter(**{model.USERNAME_FIELD: person})  # noqa: SLF001
        for key in found.values_list("pk", flat=True):
            return int(key)
    return int(person) if _ID.fullmatch(person) else 0


def _rows(seen: Seen) -> list[_Row]:
    """With one query for all the names."""
    model: Any = get_user_model()
    people = {one.user_id for one in seen.connections}
    found = model._default_manager.filter(pk__in=people)  # noqa: SLF001
    names = dict(found.values_list("pk", model.USERNAME_FIELD))
    page = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"  # noqa: SLF001
    return [
        _Row(one, names.get(one.user_id, "?"), reverse(page, args=[one.user_id]))
        for one in seen.connections
    ]


def _nodes(seen: Seen, filters: _Filters) -> list[str]:
    """To choose from: those that are known, and the one that is chosen."""
    return sorted({*seen.answered, *seen.silent, *([filters.node] if filters.node else [])})

"""Lists of the admin as CSV: streamed page by page, with the list's filters."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path

from realtime.admin.readonly import ReadOnlyAdmin
from realtime.database import in_database

PAGE = 500  # rows of one query; between two nothing is held
# Spreadsheets take a cell that begins so for a formula, also behind a tab or a line feed.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Row = Sequence[Any]


class ExportedAdmin(ReadOnlyAdmin):
    """A list with one more tool: itself as CSV, all that its search and filters leave."""

    change_list_template = "admin/realtime/exported_list.html"
    export_columns: Sequence[
        str
    ] = ()  # attributes of a row, also over a relation: `author.username`

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export)
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", view, name=name), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Needs the right to view."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = self.get_changelist_instance(request).get_queryset(request)
        return csv_response(chosen, str(self.opts.model_name), self.export_columns, self._cells)

    def _cells(self, row: Any) -> Row:
        return [_reached(row, column) for column in self.export_columns]


def _reached(row: Any, column: str) -> Any:
    value = row
    for name in column.split("."):
        value = getattr(value, name, None)
    return value.isoformat() if isinstance(value, datetime) else value


def csv_response(
    queryset: QuerySet[Any], name: str, header: Row, row: Callable[[Any], Row]
) -> StreamingHttpResponse:
    """All rows of `queryset`, the newest key first, as an attachment `<name>.csv`."""

    def page(below: Any) -> list[Any]:
        found = queryset.order_by("-pk")
        return list((found if below is None else found.filter(pk__lt=below))[:PAGE])

    async def lines() -> AsyncIterator[bytes]:
        yield _line(header)
        below = None
        while True:
            rows = await in_database(page, below)
            yield b"".join(_line(row(one)) for one in rows)
            if len(rows) < PAGE:
                return
            below = rows[-1].pk

    return StreamingHttpResponse(
        lines(),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _line(cells: Row) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([safe_cell(cell) for cell in cells])
    return line.getvalue().encode()


def safe_cell(value: Any) -> str:
    """The value as a text that no spreadsheet computes; numbers stay numbers."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text

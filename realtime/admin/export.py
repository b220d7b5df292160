"""Lists of the admin as CSV: streamed page by page, with the list's filters."""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from realtime.database import in_database

PAGE = 500  # rows of one query; between two nothing is held
# Spreadsheets take a cell that begins so for a formula, also behind a tab or a line feed.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Row = Sequence[Any]


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

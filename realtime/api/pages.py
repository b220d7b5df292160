"""Lists in pages, by key: cheap at any depth, and stable while rows come and go."""

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from pydantic import AfterValidator, BaseModel, Field
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from realtime.api.inputs import Input

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_CURSOR = re.compile(r"(next|previous)-([1-9][0-9]{0,17})")

Row = TypeVar("Row", bound=Model)


def _cursor(text: str) -> str:
    if _CURSOR.fullmatch(text) is None:
        raise ValueError(f"expected the cursor of a next or previous link, got {ascii(text)[:60]}")
    return text


class PageQuery(Input):
    """`cursor` comes from the links of another page and means nothing by itself."""

    cursor: Annotated[str, AfterValidator(_cursor)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT


class Page(BaseModel):
    """A page of a list: whole addresses of the pages beside it, null at the ends.

    Subclasses add `results` with their type.
    """

    next: str | None
    previous: str | None


def page_of(
    rows: QuerySet[Row],
    query: PageQuery,
    request: HttpRequest | Request,
    build: Callable[[Row], dict[str, Any]],
    *,
    newest_first: bool = True,
) -> dict[str, Any]:
    """One page of `rows`, ordered by primary key, as `{results, next, previous}`."""
    direction, key = query.cursor.split("-") if query.cursor else ("next", "")
    forward = direction == "next"
    descending = newest_first == forward
    if key:
        rows = rows.filter(**{"pk__lt" if descending else "pk__gt": int(key)})
    found = list(rows.order_by("-pk" if descending else "pk")[: query.limit + 1])
    more = len(found) > query.limit
    del found[query.limit :]
    if not forward:
        found.reverse()
    address = request.build_absolute_uri()
    follows = found and (more if forward else True)
    precedes = found and (bool(key) if forward else more)
    return {
        "results": [build(row) for row in found],
        "next": _link(address, "next", found[-1].pk) if follows else None,
        "previous": _link(address, "previous", found[0].pk) if precedes else None,
    }


def _link(address: str, direction: str, key: int) -> str:
    return replace_query_param(address, "cursor", f"{direction}-{key}")

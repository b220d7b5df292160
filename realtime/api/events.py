"""`GET /api/streams/<stream>/events`: the log as JSON, and by long poll.

Asynchronous Django, not DRF (which has no asynchronous views): a long poll holds no thread. The
crossing to the database is `in_database`.
"""

from typing import Annotated, Any, Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import AfterValidator, BaseModel, Field, JsonValue
from rest_framework.exceptions import MethodNotAllowed, NotAcceptable

from realtime.api.inputs import Input, validated_input
from realtime.api.log import LogPage, log_page
from realtime.api.problems import answer, problem_of
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.database import in_database
from realtime.protocol.errors import BadRequest, Unauthorized, Unavailable
from realtime.protocol.positions import Position
from realtime.security.identity import Identity, identity_of_header, identity_of_session

MAX_EVENTS = 500
MAX_WAIT_S = 30.0
MAX_LONG_POLLS = 2_000  # of one process; each holds a connection and maybe an open stream

_waiting = 0


def _position(text: str) -> str:
    try:
        return str(Position.parse(text))
    except BadRequest as error:
        raise ValueError(error.message.removeprefix("since: ")) from error


class EventsQuery(Input):
    """`since` is `<epoch>:<seq>`; `wait` is in seconds and needs `since`."""

    since: Annotated[str, AfterValidator(_position)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_EVENTS)] = 100
    wait: Annotated[float, Field(ge=0, le=MAX_WAIT_S, allow_inf_nan=False)] = 0.0


class EventsPage(BaseModel):
    """`recovered` stands with `since`; where it is false, `snapshot` replaces the client's state.

    The next `since` is the seq of the last of `events`, or the old one: never `head`.
    """

    epoch: str
    head: int
    recovered: bool = True
    reason: Literal["epoch", "trimmed"] | None = None
    snapshot: dict[str, JsonValue] | None = None
    events: list[dict[str, JsonValue]]
    more: bool


def _identity(request: HttpRequest) -> Identity:
    """Runs in a database thread. Raises Unauthorized."""
    header = request.headers.get("Authorization")
    if header is not None:
        return identity_of_header(header)
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if key is None:
        raise Unauthorized("expected a session cookie or an Authorization header, got neither")
    return identity_of_session(key)


def _read(request: HttpRequest, stream: str, query: EventsQuery) -> LogPage:
    since = Position.parse(query.since) if query.since is not None else None
    return log_page(_identity(request).user, stream, since, query.limit)


async def _wait(stream: str, seq: int, timeout_s: float) -> bool:
    """Raises Unavailable when as many wait already as this process may hold."""
    global _waiting
    if _waiting >= MAX_LONG_POLLS:
        raise Unavailable(
            f"expected at most {MAX_LONG_POLLS} long polls, got one more", retry_after_ms=5000
        )
    # The hub exists only in a serving process; management commands import URLs without it.
    from realtime.hub.waiting import wait_beyond

    _waiting += 1
    try:
        return await wait_beyond(stream, seq, timeout_s)
    finally:
        _waiting -= 1


async def _page(request: HttpRequest, stream: str) -> LogPage:
    """Raises what `problem_of` tells."""
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed(request.method or "", "expected one of GET, HEAD")
    if not request.accepts("application/json"):
        raise NotAcceptable(
            "expected Accept: application/json, because server-sent events are not served yet"
        )
    query = validated_input(EventsQuery, request.GET.dict())
    page = await in_database(_read, request, stream, query)
    if not query.wait or not page.waits or page.since is None:
        return page
    if await _wait(stream, page.since.seq, query.wait):
        # Rights may have ended meanwhile: credential, membership and head are read again.
        page = await in_database(_read, request, stream, query)
    return page


@csrf_exempt
async def stream_events(request: HttpRequest, stream: str) -> HttpResponse:
    """The events after `since`, as they are in the log; by itself, where the log stands."""
    try:
        page = await _page(request, stream)
    except Exception as error:  # noqa: BLE001 - this view's outermost: problem_of logs the unknown
        return answer(problem_of(error))
    response = HttpResponse(page.as_json(), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


class _Description(ApiView):
    """Never serves: drf-spectacular describes DRF views only, and finds this one by `cls`."""

    @extend_schema(
        operation_id="list_stream_events",
        parameters=[
            OpenApiParameter("stream", str, OpenApiParameter.PATH, description="e.g. project.42"),
            *query_parameters(EventsQuery),
        ],
        responses={200: EventsPage},
    )
    def get(self, request: Any, stream: str) -> None:
        """The events after `since`, ascending; without `since`, where the log stands."""


stream_events.cls = _Description  # type: ignore[attr-defined]
stream_events.initkwargs = {}  # type: ignore[attr-defined]

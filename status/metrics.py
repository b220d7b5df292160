"""`/metrics` for Prometheus, and `/api/websocket/metrics` for everybody who may see the status.

Both take the numbers of all processes, whichever of them is asked.
"""

import asyncio
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Literal

from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.api.problems import answer, problem_of
from realtime.database import in_database
from realtime.metrics.ledger import Totals, totals
from realtime.node import process_node, running_node
from realtime.protocol.errors import Forbidden, Unauthorized, Unavailable
from realtime.protocol.streams import StreamKind, StreamName
from realtime.security.identity import identity_of_header
from status import state
from status.access import may_read_status
from status.api.views import StatusView
from status.conf import options
from status.exposition import Exposition, as_json

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

WITHIN_S = 5.0
BOARD_WITHIN_S = 1.0  # without it the rest is told all the same


class SampleAnswer(BaseModel):
    labels: dict[str, str]
    value: float


class MetricAnswer(BaseModel):
    """A histogram has `buckets` (cumulative, by upper bounds), `count` and `sum`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    samples: list[SampleAnswer]
    buckets: dict[str, float] | None = None
    count: float | None = None
    sum: float | None = None


class MetricsAnswer(BaseModel):
    """`complete` is false where not all processes could be asked: there are no counters then.
    `silent` are the processes whose numbers are old: they do not answer, and have not stopped."""

    complete: bool
    silent: list[str]
    metrics: list[MetricAnswer]


class MetricsView(StatusView):
    @extend_schema(operation_id="read_metrics", responses=MetricsAnswer)
    def get(self, request: Request) -> Response:
        """The numbers of all processes since they were first told."""
        return Response(as_json(_totals()))


def _totals() -> Totals:
    """From a thread. Raises Unavailable."""
    node = process_node()
    if node is None:
        return async_to_sync(totals)(None)
    asked = asyncio.run_coroutine_threadsafe(totals(node), node.loop)
    try:
        return asked.result(WITHIN_S)
    except TimeoutError as error:
        asked.cancel()
        raise Unavailable(f"expected numbers within {WITHIN_S:g} s, got none") from error


async def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. To be asked with METRICS_TOKEN, from METRICS_ADDRESSES, or with the
    credentials of somebody who may see the status."""
    try:
        await _require_right(request)
        return await _text()
    except Exception as error:  # noqa: BLE001 - this view's outermost: problem_of logs the unknown
        return answer(problem_of(error))


async def _require_right(request: HttpRequest) -> None:
    """Raises Unauthorized, Forbidden, Unavailable, MethodNotAllowed."""
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed(request.method or "", "expected one of GET, HEAD")
    header = request.headers.get("Authorization", "")
    if _has_token(header) or _is_near(request.META.get("REMOTE_ADDR", "")):
        return
    if not header:
        raise Unauthorized("expected the token of METRICS_TOKEN, or credentials, got neither")
    if not await in_database(_may_read, header):
        raise Forbidden("expected somebody who may see the system's status")


def _has_token(header: str) -> bool:
    token = options().metrics_token
    if token is None:
        return False
    scheme, _, given = header.partition(" ")
    matches = compare_digest(given.strip().encode(), token.get_secret_value().encode())
    return matches and scheme.lower() == "bearer"


def _is_near(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False  # a socket of the file system has none
    return any(found in ip_network(network) for network in options().metrics_addresses)


def _may_read(header: str) -> bool:
    user = identity_of_header(header).user
    return may_read_status(user, StreamName(StreamKind.STATUS, None))


async def _text() -> HttpResponse:
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

    found, health = await asyncio.gather(totals(running_node()), _board())
    registry: CollectorRegistry | Any = Exposition(found, health)
    response = HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response


async def _board() -> dict[str, Any] | None:
    try:
        async with asyncio.timeout(BOARD_WITHIN_S):
            return await in_database(state.health)
    except (Unavailable, TimeoutError):
        return None

"""Broadcasts over HTTP: asking for one, watching it, withdrawing and acknowledging it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.api.inputs import received, validated_input
from realtime.api.pages import Page, PageQuery, page_of
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.broadcasts.acknowledging import acknowledge_broadcast
from realtime.broadcasts.composing import create_broadcast
from realtime.broadcasts.drafts import BroadcastDraft
from realtime.broadcasts.ending import cancel_broadcast
from realtime.broadcasts.permissions import is_operator, visible, visible_broadcast
from realtime.broadcasts.shapes import broadcast_shape
from realtime.broadcasts.statistics import statistics
from realtime.models.broadcast import OPEN
from realtime.protocol.errors import BadRequest
from realtime.protocol.payloads.operations import BroadcastReport
from realtime.protocol.payloads.shape import Moment, wire_time
from realtime.protocol.streams import SYSTEM_STREAM, project_stream, user_stream

IDEMPOTENCY = "Idempotency-Key"


class BroadcastAccepted(BaseModel):
    """`recipients` is how many people would be addressed now."""

    id: int
    status: str
    recipients: int


class BroadcastPage(Page):
    results: list[BroadcastReport]


class BroadcastStatistics(BaseModel):
    total: int
    by_status: dict[str, int]
    by_scope: dict[str, int]
    addressed: int
    delivered: int
    acknowledged: int
    late: int


class BroadcastAcknowledged(BaseModel):
    id: int
    acknowledged_at: Moment


def _draft(request: Request) -> BroadcastDraft:
    """The body, with the header's reference. Raises InputError, BadRequest, TooLarge."""
    key = request.headers.get(IDEMPOTENCY)
    if key is None or not isinstance(request.data, dict):
        return received(BroadcastDraft, request)
    given = request.data.get("client_ref")
    if given not in {None, key}:
        raise BadRequest(f"client_ref: expected the same as {IDEMPOTENCY}, got another")
    return validated_input(BroadcastDraft, {**request.data, "client_ref": key})


def _compose(request: Request, stream: str) -> Response:
    composed = create_broadcast(request.user, stream, _draft(request))
    row = composed.row
    accepted = {"id": row.pk, "status": row.status, "recipients": row.addressed}
    return Response(accepted, status=202)


class SystemBroadcastView(ApiView):
    @extend_schema(
        operation_id="broadcast_to_system",
        request=BroadcastDraft,
        responses={202: BroadcastAccepted},
    )
    def post(self, request: Request) -> Response:
        """Speak to everyone: operators only, and only with `"confirm": true`; without it nothing is
        sent, and the problem's details have the number of `recipients`."""
        return _compose(request, SYSTEM_STREAM)


class ProjectBroadcastView(ApiView):
    @extend_schema(
        operation_id="broadcast_to_project",
        request=BroadcastDraft,
        responses={202: BroadcastAccepted},
    )
    def post(self, request: Request, project_id: int) -> Response:
        """Speak to the members of a project: its owners, and operators."""
        return _compose(request, project_stream(project_id))


class UserBroadcastView(ApiView):
    @extend_schema(
        operation_id="broadcast_to_user",
        request=BroadcastDraft,
        responses={202: BroadcastAccepted},
    )
    def post(self, request: Request, user_id: int) -> Response:
        """Speak to one person: staff only."""
        return _compose(request, user_stream(user_id))


class BroadcastView(ApiView):
    @extend_schema(operation_id="read_broadcast", responses={200: BroadcastReport})
    def get(self, request: Request, broadcast_id: int) -> Response:
        """One broadcast, counted as of now."""
        row = visible_broadcast(request.user, broadcast_id)
        return Response(broadcast_shape(row, fresh=True))


class ActiveBroadcastsView(ApiView):
    @extend_schema(
        operation_id="list_active_broadcasts",
        parameters=query_parameters(PageQuery),
        responses={200: BroadcastPage},
    )
    def get(self, request: Request) -> Response:
        """Those that wait or stand, newest first: operators see all, others their own."""
        query = validated_input(PageQuery, request.query_params.dict())
        rows = visible(request.user).filter(status__in=OPEN)
        return Response(page_of(rows, query, request, broadcast_shape))


class BroadcastStatisticsView(ApiView):
    @extend_schema(operation_id="read_broadcast_statistics", responses={200: BroadcastStatistics})
    def get(self, request: Request) -> Response:
        """Numbers over all broadcasts, those cleaned away included; others than operators get
        those of their own that are kept."""
        user: Any = request.user
        return Response(statistics(visible(user), cleaned=is_operator(user)))


class BroadcastCancelView(ApiView):
    @extend_schema(operation_id="cancel_broadcast", request=None, responses={200: BroadcastReport})
    def post(self, request: Request, broadcast_id: int) -> Response:
        """Withdraw: nothing is sent where nothing was, else its text is taken back. One that has
        ended already stays as it is."""
        return Response(broadcast_shape(cancel_broadcast(request.user, broadcast_id)))


class BroadcastAcknowledgeView(ApiView):
    @extend_schema(
        operation_id="acknowledge_broadcast",
        request=None,
        responses={200: BroadcastAcknowledged},
    )
    def post(self, request: Request, broadcast_id: int) -> Response:
        """Say that you have read it; once is enough, from whatever device."""
        at = acknowledge_broadcast(request.user, broadcast_id)
        return Response({"id": broadcast_id, "acknowledged_at": wire_time(at)})

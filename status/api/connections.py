"""Looking at open sockets, and closing them: what the admin's page does, over REST.

Who is connected from where is more than the system's state: it takes the rights of that page.
"""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime.api.inputs import validated_input
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.conf import options
from realtime.fleet import operations
from realtime.fleet.sightings import Sighting, Wanted
from status.api.connection_shapes import (
    CleanUpAnswer,
    CleanUpQuery,
    ConnectionAnswer,
    ConnectionsAnswer,
    ConnectionsQuery,
    CountsAnswer,
)
from status.api.rights import MayReadStatus

_BY_ID = [OpenApiParameter("connection_id", str, OpenApiParameter.PATH)]


class _MayOperate(BasePermission):
    """`realtime.view_liveconnection` to look, `realtime.change_liveconnection` to act."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        right = "view" if request.method in {"GET", "HEAD", "OPTIONS"} else "change"
        return bool(request.user.has_perm(f"realtime.{right}_liveconnection"))


class _OperatorView(ApiView):
    permission_classes = [_MayOperate]


class ConnectionsView(_OperatorView):
    @extend_schema(
        operation_id="list_connections",
        parameters=query_parameters(ConnectionsQuery),
        responses=ConnectionsAnswer,
    )
    def get(self, request: Request) -> Response:
        """Open sockets of all nodes, asked of them now; those that are silent are named."""
        query = validated_input(ConnectionsQuery, request.query_params.dict())
        seen = operations.look_at_connections(Wanted(**query.model_dump()))
        return Response({**asdict(seen), "connections": [_told(one) for one in seen.connections]})


class ConnectionView(_OperatorView):
    @extend_schema(operation_id="read_connection", parameters=_BY_ID, responses=ConnectionAnswer)
    def get(self, request: Request, connection_id: str) -> Response:
        """One socket, with the streams that are furthest behind."""
        return Response(_told(operations.look_at_connection(connection_id)))

    @extend_schema(
        operation_id="close_connection", parameters=_BY_ID, request=None, responses={204: None}
    )
    def delete(self, request: Request, connection_id: str) -> Response:
        """Close it with 4409, wherever it is, within 5 s; the person may come again."""
        operations.close_connection(connection_id)
        return Response(status=204)


class CleanUpView(_OperatorView):
    @extend_schema(
        operation_id="clean_up_connections",
        request=None,
        parameters=query_parameters(CleanUpQuery),
        responses=CleanUpAnswer,
    )
    def post(self, request: Request) -> Response:
        """Give up sockets whose clients take nothing, and write the registry's lists afresh."""
        query = validated_input(CleanUpQuery, request.query_params.dict())
        limit_s = query.stalled_s or options().websocket_slow_timeout
        return Response(asdict(operations.clean_up_connections(limit_s)))


class CountsView(ApiView):
    permission_classes = [MayReadStatus]

    @extend_schema(operation_id="count_connections", responses=CountsAnswer)
    def get(self, request: Request) -> Response:
        """How many sockets are open, by node, asked of them now."""
        counts = operations.count_connections()
        return Response({"total": sum(counts.by_node.values()), **asdict(counts)})


def _told(one: Sighting) -> dict[str, Any]:
    return {**asdict(one), "streams": [asdict(stream) for stream in one.streams]}

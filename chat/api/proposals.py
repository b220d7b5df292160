"""Memories proposed from conversation."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import events
from chat.actions import proposals
from chat.api.actor import actor_of
from chat.api.inputs import AcceptInput
from chat.api.shapes import MemoryPage
from chat.models import Memory
from chat.queries.access import membership_of
from realtime.api.inputs import received, validated_input
from realtime.api.pages import PageQuery, page_of
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.protocol.payloads.memory import Memory as MemoryShape


class ProposalsView(ApiView):
    @extend_schema(
        operation_id="list_proposals",
        parameters=query_parameters(PageQuery),
        responses={200: MemoryPage},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """Memories that nobody has accepted or discarded yet, newest first."""
        membership_of(actor_of(request), project_id)
        query = validated_input(PageQuery, request.query_params.dict())
        rows = Memory.objects.proposed().filter(project_id=project_id)
        rows = rows.prefetch_related("dependencies")
        return Response(page_of(rows, query, request, events.memory))


class ProposalAcceptView(ApiView):
    @extend_schema(
        operation_id="accept_proposal", request=AcceptInput, responses={200: MemoryShape}
    )
    def post(self, request: Request, project_id: int, memory_id: int) -> Response:
        """Keep it, changed where fields are given; 409 says who was first."""
        changes = received(AcceptInput, request).model_dump(exclude_unset=True)
        row = proposals.accept_proposal(actor_of(request), project_id, memory_id, **changes)
        return Response(events.memory(row))


class ProposalDiscardView(ApiView):
    @extend_schema(operation_id="discard_proposal", request=None, responses={204: None})
    def post(self, request: Request, project_id: int, memory_id: int) -> Response:
        """Discard it; 409 says who was first."""
        proposals.discard_proposal(actor_of(request), project_id, memory_id)
        return Response(status=204)

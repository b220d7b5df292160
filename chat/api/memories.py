"""Memories of a project."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import events
from chat.actions import memories
from chat.api.actor import actor_of
from chat.api.filters import filtered_memories
from chat.api.inputs import MemoryInput, MemoryPatch, MemoryQuery
from chat.api.shapes import MemoryPage
from chat.models import Memory, User
from chat.queries.access import membership_of
from realtime.api.inputs import received, validated_input
from realtime.api.pages import page_of
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.protocol.errors import NotFound
from realtime.protocol.payloads.memory import Memory as MemoryShape


def _memory(actor: User, project_id: int, memory_id: int) -> Memory:
    """The memory under this address. Raises NotFound."""
    membership_of(actor, project_id)
    rows = Memory.objects.prefetch_related("dependencies")
    row: Memory | None = rows.filter(project_id=project_id, pk=memory_id).first()
    if row is None:
        raise NotFound(f"memory: expected a memory of the project, got {memory_id}")
    return row


class MemoriesView(ApiView):
    @extend_schema(
        operation_id="list_memories",
        parameters=query_parameters(MemoryQuery),
        responses={200: MemoryPage},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """What the project remembers, newest first; without proposals."""
        membership_of(actor_of(request), project_id)
        query = validated_input(MemoryQuery, request.query_params.dict())
        rows = Memory.objects.kept().filter(project_id=project_id)
        rows = rows.prefetch_related("dependencies")
        return Response(page_of(filtered_memories(rows, query), query, request, events.memory))

    @extend_schema(operation_id="store_memory", request=MemoryInput, responses={201: MemoryShape})
    def post(self, request: Request, project_id: int) -> Response:
        """Store a memory."""
        given = received(MemoryInput, request)
        row = memories.store_memory(actor_of(request), project_id, **given.model_dump())
        return Response(events.memory(row), status=201)


class MemoryView(ApiView):
    @extend_schema(operation_id="read_memory", responses={200: MemoryShape})
    def get(self, request: Request, project_id: int, memory_id: int) -> Response:
        """One memory."""
        return Response(events.memory(_memory(actor_of(request), project_id, memory_id)))

    @extend_schema(operation_id="update_memory", request=MemoryPatch, responses={200: MemoryShape})
    def patch(self, request: Request, project_id: int, memory_id: int) -> Response:
        """Change the given fields of a memory."""
        given = received(MemoryPatch, request)
        actor = actor_of(request)
        row = _memory(actor, project_id, memory_id)
        changes = given.model_dump(exclude_unset=True)
        return Response(events.memory(memories.update_memory(actor, row.pk, **changes)))

    @extend_schema(operation_id="delete_memory", responses={204: None})
    def delete(self, request: Request, project_id: int, memory_id: int) -> Response:
        """Delete a memory."""
        actor = actor_of(request)
        memories.delete_memory(actor, _memory(actor, project_id, memory_id).pk)
        return Response(status=204)

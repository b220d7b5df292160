"""Searching the memories of a project by what they say."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import events
from chat.api.actor import actor_of
from chat.api.inputs import SimilarQuery
from chat.api.shapes import SimilarMemories
from chat.queries.access import membership_of
from chat.queries.similar import SearchMode, similar_memories
from realtime.api.inputs import validated_input
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView

MODE_HEADER = "X-Search-Mode"


class SimilarMemoriesView(ApiView):
    @extend_schema(
        operation_id="similar_memories",
        parameters=[
            *query_parameters(SimilarQuery),
            OpenApiParameter(
                MODE_HEADER,
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                response=[200],
                enum=[mode.value for mode in SearchMode],
                description="`keywords` while the language model is away or not installed.",
            ),
        ],
        responses={200: SimilarMemories},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """Memories that say what `q` says, best first; nothing rather than something far off."""
        membership_of(actor_of(request), project_id)
        query = validated_input(SimilarQuery, request.query_params.dict())
        found = similar_memories(project_id, query.q, query.limit)
        return Response(
            [
                {"memory": events.memory(one.memory), "score": one.score, "why": one.why}
                for one in found.matches
            ],
            headers={MODE_HEADER: found.mode.value},
        )

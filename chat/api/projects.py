"""Projects and their chat sessions."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import events
from chat.actions import projects
from chat.api.actor import actor_of
from chat.api.inputs import ProjectInput, ProjectPatch
from chat.api.shapes import ChatSessionPage, ProjectPage
from chat.models import ChatSession
from chat.queries.access import membership_of, readable_projects
from realtime.api.inputs import received, validated_input
from realtime.api.pages import PageQuery, page_of
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.protocol.payloads.project import Project


class ProjectsView(ApiView):
    @extend_schema(
        operation_id="list_projects",
        parameters=query_parameters(PageQuery),
        responses={200: ProjectPage},
    )
    def get(self, request: Request) -> Response:
        """The projects that you are a member of, newest first."""
        query = validated_input(PageQuery, request.query_params.dict())
        rows = readable_projects(actor_of(request))
        return Response(page_of(rows, query, request, events.project))

    @extend_schema(operation_id="create_project", request=ProjectInput, responses={201: Project})
    def post(self, request: Request) -> Response:
        """A new project; you become its owner."""
        given = received(ProjectInput, request)
        row = projects.create_project(actor_of(request), **given.model_dump())
        return Response(events.project(row), status=201)


class ProjectView(ApiView):
    @extend_schema(operation_id="read_project", responses={200: Project})
    def get(self, request: Request, project_id: int) -> Response:
        """One project."""
        return Response(events.project(membership_of(actor_of(request), project_id).project))

    @extend_schema(operation_id="update_project", request=ProjectPatch, responses={200: Project})
    def patch(self, request: Request, project_id: int) -> Response:
        """Change name or description; owners only."""
        given = received(ProjectPatch, request)
        changes = given.model_dump(exclude_unset=True)
        row = projects.update_project(actor_of(request), project_id, **changes)
        return Response(events.project(row))

    @extend_schema(operation_id="delete_project", responses={204: None})
    def delete(self, request: Request, project_id: int) -> Response:
        """Delete the project and everything in it; owners only."""
        projects.delete_project(actor_of(request), project_id)
        return Response(status=204)


class ChatSessionsView(ApiView):
    @extend_schema(
        operation_id="list_chat_sessions",
        parameters=query_parameters(PageQuery),
        responses={200: ChatSessionPage},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """The conversations of a project, oldest first."""
        membership_of(actor_of(request), project_id)
        query = validated_input(PageQuery, request.query_params.dict())
        rows = ChatSession.objects.filter(project_id=project_id)
        # The event carries the session whole, so its payload is also the shape of the row.
        page = page_of(
            rows, query, request, lambda row: events.session_saved(row).data, newest_first=False
        )
        return Response(page)

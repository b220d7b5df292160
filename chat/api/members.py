"""Who is in a project."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import events
from chat.actions import projects
from chat.api.actor import actor_of
from chat.api.inputs import MemberInput, MemberPatch
from chat.api.shapes import MemberPage
from chat.models import Membership, User
from chat.queries.access import membership_of, owning_membership
from realtime.api.inputs import received, validated_input
from realtime.api.pages import PageQuery, page_of
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.protocol.errors import NotFound
from realtime.protocol.payloads.project import Member


def _is_member(project_id: int, user_id: int) -> bool:
    return Membership.objects.filter(project_id=project_id, user_id=user_id).exists()


def _user_id(user: int | str) -> int:
    """Raises NotFound; ids are looked up by the action itself."""
    if isinstance(user, int):
        return user
    found = User.objects.filter(username=user, is_active=True).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound("user: expected the name of an active account, got another")
    return int(found)


class MembersView(ApiView):
    @extend_schema(
        operation_id="list_members",
        parameters=query_parameters(PageQuery),
        responses={200: MemberPage},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """The members of a project, in the order in which they joined."""
        membership_of(actor_of(request), project_id)
        query = validated_input(PageQuery, request.query_params.dict())
        rows = Membership.objects.filter(project_id=project_id).select_related("user")
        return Response(page_of(rows, query, request, events.member, newest_first=False))

    @extend_schema(
        operation_id="add_member", request=MemberInput, responses={201: Member, 200: Member}
    )
    def post(self, request: Request, project_id: int) -> Response:
        """Add a person, or change the role of a member (200); owners only."""
        given = received(MemberInput, request)
        actor = actor_of(request)
        owning_membership(actor, project_id)  # before names are looked up: they are not public
        user_id = _user_id(given.user)
        known = _is_member(project_id, user_id)
        row = projects.set_member(actor, project_id, user_id=user_id, role=given.role)
        return Response(events.member(row), status=200 if known else 201)


class MemberView(ApiView):
    @extend_schema(operation_id="update_member", request=MemberPatch, responses={200: Member})
    def patch(self, request: Request, project_id: int, user_id: int) -> Response:
        """Change a member's role; owners only."""
        given = received(MemberPatch, request)
        actor = actor_of(request)
        owning_membership(actor, project_id)
        if not _is_member(project_id, user_id):
            raise NotFound(f"user: expected a member of the project, got {user_id}")
        row = projects.set_member(actor, project_id, user_id=user_id, role=given.role)
        return Response(events.member(row))

    @extend_schema(operation_id="remove_member", responses={204: None})
    def delete(self, request: Request, project_id: int, user_id: int) -> Response:
        """Remove a member (owners) or leave (anyone, with one's own id)."""
        projects.remove_member(actor_of(request), project_id, user_id)
        return Response(status=204)

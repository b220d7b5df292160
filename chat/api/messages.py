"""Messages of a project."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import events
from chat.actions import messages
from chat.api.actor import actor_of
from chat.api.filters import filtered_messages
from chat.api.inputs import MessageInput, MessagePatch, MessageQuery
from chat.api.shapes import MessagePage, MessageWritten
from chat.models import Message, User
from chat.queries.access import membership_of
from realtime.api.inputs import received, validated_input
from realtime.api.pages import page_of
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.protocol.errors import NotFound
from realtime.protocol.payloads.chat import Message as MessageShape


def message_of(actor: User, project_id: int, message_id: int) -> Message:
    """The message under this address. Raises NotFound."""
    membership_of(actor, project_id)
    rows = Message.objects.select_related("author")
    row: Message | None = rows.filter(project_id=project_id, pk=message_id).first()
    if row is None:
        raise NotFound(f"message: expected a message of the project, got {message_id}")
    return row


class MessagesView(ApiView):
    @extend_schema(
        operation_id="list_messages",
        parameters=query_parameters(MessageQuery),
        responses={200: MessagePage},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """The messages of a project, newest first; deleted ones keep their place, without text."""
        membership_of(actor_of(request), project_id)
        query = validated_input(MessageQuery, request.query_params.dict())
        rows = Message.objects.filter(project_id=project_id).select_related("author")
        return Response(page_of(filtered_messages(rows, query), query, request, events.message))

    @extend_schema(
        operation_id="send_message",
        request=MessageInput,
        responses={201: MessageWritten, 200: MessageWritten},
    )
    def post(self, request: Request, project_id: int) -> Response:
        """Send a message; 200 where the same `client_ref` had made it already."""
        given = received(MessageInput, request)
        sent = messages.send_message(actor_of(request), project_id, **given.model_dump())
        return Response(sent.as_wire(), status=201 if sent.created else 200)


class MessageView(ApiView):
    @extend_schema(operation_id="read_message", responses={200: MessageShape})
    def get(self, request: Request, project_id: int, message_id: int) -> Response:
        """One message."""
        return Response(events.message(message_of(actor_of(request), project_id, message_id)))

    @extend_schema(
        operation_id="edit_message", request=MessagePatch, responses={200: MessageWritten}
    )
    def patch(self, request: Request, project_id: int, message_id: int) -> Response:
        """Replace the text of your own message."""
        given = received(MessagePatch, request)
        actor = actor_of(request)
        row = message_of(actor, project_id, message_id)
        return Response(messages.edit_message(actor, row.pk, **given.model_dump()).as_wire())

    @extend_schema(operation_id="delete_message", responses={200: MessageWritten})
    def delete(self, request: Request, project_id: int, message_id: int) -> Response:
        """Take a message's text away, for good; its author or an owner may."""
        actor = actor_of(request)
        row = message_of(actor, project_id, message_id)
        return Response(messages.delete_message(actor, row.pk).as_wire())

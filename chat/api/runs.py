"""Asking the AI, and what becomes of its runs."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat import events
from chat.actions import messages, runs
from chat.api.actor import actor_of
from chat.api.inputs import QuestionInput
from chat.api.shapes import Asked, RunState
from chat.models import AiRun, User
from chat.queries.runs import readable_run
from realtime.api.inputs import received
from realtime.api.views import ApiView
from realtime.protocol.errors import Conflict, NotFound
from realtime.protocol.payloads.ai import Run


def run_of(actor: User, project_id: int, run_id: int) -> AiRun:
    """The run under this address. Raises NotFound."""
    row = readable_run(actor, run_id)
    if row.project_id != project_id:
        raise NotFound(f"run: expected a run that you may see, got {run_id}")
    return row


class AskView(ApiView):
    @extend_schema(operation_id="ask", request=QuestionInput, responses={202: Asked})
    def post(self, request: Request, project_id: int) -> Response:
        """Send a message that the AI answers; the answer arrives by events."""
        given = received(QuestionInput, request)
        sent = messages.send_message(
            actor_of(request), project_id, **given.model_dump(), ask_ai=True
        )
        if sent.run is None:
            raise Conflict("client_ref: expected a new reference, got one of a message to people")
        asked = {"message": events.message(sent.message), "run": events.run(sent.run)}
        return Response(asked, status=202)


class RunView(ApiView):
    @extend_schema(operation_id="read_run", responses={200: Run})
    def get(self, request: Request, project_id: int, run_id: int) -> Response:
        """One run of the AI."""
        return Response(events.run(run_of(actor_of(request), project_id, run_id)))


class RunAgainView(ApiView):
    @extend_schema(operation_id="run_again", request=None, responses={202: Run})
    def post(self, request: Request, project_id: int, run_id: int) -> Response:
        """Answer once more, in the same message; 409 while the run is under way."""
        actor = actor_of(request)
        row = run_of(actor, project_id, run_id)
        return Response(events.run(runs.run_again(actor, row.pk)), status=202)


class RunCancelView(ApiView):
    @extend_schema(operation_id="cancel_run", request=None, responses={200: RunState})
    def post(self, request: Request, project_id: int, run_id: int) -> Response:
        """Stop a run; any member may."""
        actor = actor_of(request)
        row = run_of(actor, project_id, run_id)
        return Response({"state": runs.cancel_run(actor, row.pk)})

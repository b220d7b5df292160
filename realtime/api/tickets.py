"""`POST /api/websocket/tickets`: a ticket for a WebSocket handshake.

Asynchronous Django, not DRF (which has no asynchronous views): the ticket is the node's, and the
credentials of a crowd that comes for tickets are read together, as at the handshake itself.
"""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from pydantic import BaseModel
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import MethodNotAllowed

from realtime.api.problems import answer, problem_of
from realtime.api.views import ApiView
from realtime.protocol.errors import Unauthorized
from realtime.security.admission import credential_of_header, credential_of_session
from realtime.security.tickets import LIFE_S

if TYPE_CHECKING:
    from realtime.node import Node
    from realtime.security.identity import Authenticated


class TicketIssued(BaseModel):
    """`ticket` goes into the subprotocol `pm.ticket.<ticket>`, or into `authenticate`; once."""

    ticket: str
    expires_in_s: int


async def _authenticated(request: HttpRequest, node: "Node") -> "Authenticated":
    """Raises Unauthorized, NotFound, Unavailable, DRF's PermissionDenied without a CSRF token."""
    header = request.headers.get("Authorization")
    if header is not None:
        return await node.admissions.ask(credential_of_header(header))
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if key is None:
        raise Unauthorized("expected a session cookie or an Authorization header, got neither")
    found = await node.admissions.ask(credential_of_session(key))
    # As DRF does: only a browser's cookie comes along where its person does not know of it.
    SessionAuthentication().enforce_csrf(request)  # type: ignore[arg-type]
    return found


async def _issued(request: HttpRequest) -> TicketIssued:
    """Raises what `problem_of` tells."""
    if request.method != "POST":
        raise MethodNotAllowed(request.method or "", "expected POST")
    # The node exists only in a serving process; management commands import URLs without it.
    from realtime.node import current_node

    node = await current_node()
    ticket = await node.tickets.issue(await _authenticated(request, node))
    return TicketIssued(ticket=ticket, expires_in_s=LIFE_S)


@csrf_exempt
async def websocket_tickets(request: HttpRequest) -> HttpResponse:
    """Checked by `_authenticated` for what CSRF is about: a session cookie."""
    try:
        issued = await _issued(request)
    except Exception as error:  # noqa: BLE001 - this view's outermost: problem_of logs the unknown
        return answer(problem_of(error))
    return JsonResponse(issued.model_dump(), status=201, headers={"Cache-Control": "no-store"})


class _Description(ApiView):
    """Never serves: drf-spectacular describes DRF views only, and finds this one by `cls`."""

    @extend_schema(
        operation_id="issue_websocket_ticket", request=None, responses={201: TicketIssued}
    )
    def post(self, request: Any) -> None:
        """A ticket for one WebSocket handshake within 30 seconds, as whoever asks for it."""


websocket_tickets.cls = _Description  # type: ignore[attr-defined]
websocket_tickets.initkwargs = {}  # type: ignore[attr-defined]

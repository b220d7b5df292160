"""`live`: the process answers. `ready`: it takes new work and its database answers."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, JsonResponse

from realtime.backends.postgresql.patience import patience
from realtime.database import Calls
from realtime.protocol.errors import Unauthorized
from realtime.protocol.streams import StreamKind, StreamName
from realtime.security.identity import identity_of_header
from realtime.server.state import readiness
from status.access import may_read_status

READY_LIMIT_S = 2.0  # a prober's own patience is short


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"state": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200, or 503 with what is missing: a draining server answers 503 before it stops."""
    if not readiness.accepting:
        return JsonResponse({"state": "draining"}, status=503)
    try:
        with patience(READY_LIMIT_S), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"state": "database away"}, status=503)
    return JsonResponse({"state": "ok"})


def counters(request: HttpRequest) -> JsonResponse:
    """How often this process's event loop went to the database. Without DEBUG for those alone who
    may read the status; 404 for others."""
    if not (settings.DEBUG or _may_measure(request)):
        raise Http404
    return JsonResponse({"database_calls": Calls.total})


def _may_measure(request: HttpRequest) -> bool:
    try:
        identity = identity_of_header(request.headers.get("Authorization", ""))
    except Unauthorized:
        return False
    return may_read_status(identity.user, StreamName(StreamKind.STATUS, None))

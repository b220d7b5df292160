"""`live`: the process answers. `ready`: it takes new work and its database answers."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from realtime.server.state import readiness


def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"state": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """200, or 503 with what is missing: a draining server answers 503 before it stops."""
    if not readiness.accepting:
        return JsonResponse({"state": "draining"}, status=503)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"state": "database away"}, status=503)
    return JsonResponse({"state": "ok"})

"""The id of each HTTP request: the caller's own where it is well-formed, else a new one."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase

from realtime.middleware import Middleware
from realtime.tracing.correlation import well_formed
from realtime.tracing.spans import causing

HEADER = "X-Request-ID"


class CorrelationMiddleware(Middleware):
    """Puts the id in force for what the request causes, and into its answer.

    The first of all: what others log is to have the id, and what they answer, too.
    """

    def _answer_now(self, request: HttpRequest) -> HttpResponseBase:
        with _causing(request) as cause:
            response = super()._answer_now(request)
            response.headers[HEADER] = cause.id
            return response

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        with _causing(request) as cause:
            response = await super()._answer(request)
            response.headers[HEADER] = cause.id
            return response


def _causing(request: HttpRequest) -> Any:
    headers = request.headers
    return causing(
        f"HTTP {request.method}",
        well_formed(headers.get(HEADER)),
        parent=headers.get("traceparent"),
        attributes={"http.request.method": request.method, "url.path": request.path},
    )

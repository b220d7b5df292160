"""The id of each HTTP request: the caller's own where it is well-formed, else a new one."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from realtime.tracing.correlation import well_formed
from realtime.tracing.spans import causing

HEADER = "X-Request-ID"


class CorrelationMiddleware:
    """Puts the id in force for what the request causes, and into its answer. Serves both colours.

    The first of all: what others log is to have the id, and what they answer, too.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._asynchronous = iscoroutinefunction(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._asynchronous:
            return self._answer(request)
        with _causing(request) as cause:
            response: HttpResponseBase = self.get_response(request)
            response.headers[HEADER] = cause.id
            return response

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        with _causing(request) as cause:
            response: HttpResponseBase = await self.get_response(request)
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

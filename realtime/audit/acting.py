"""Whose request this is, for receivers that are told of a row and not of a request."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

_request: ContextVar[HttpRequest | None] = ContextVar("acting_request", default=None)


class Acting(NamedTuple):
    """`actor` None: nobody is signed in, or this is no request but a command or a job."""

    actor: int | None
    address: str | None


def acting() -> Acting:
    """Who acts now; synchronous, because the session's person may have to be read first."""
    request = _request.get()
    if request is None:
        return Acting(None, None)
    person: Any = getattr(request, "user", None)  # DRF puts whom it authenticated here as well
    return Acting(getattr(person, "pk", None), request.META.get("REMOTE_ADDR") or None)


class ActingMiddleware:
    """Remembers the request while it is answered, in either colour."""

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
        token = _request.set(request)
        try:
            response: HttpResponseBase = self.get_response(request)
            return response
        finally:
            _request.reset(token)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            response: HttpResponseBase = await self.get_response(request)
            return response
        finally:
            _request.reset(token)

"""Whose request this is, for receivers that are told of a row and not of a request."""

from contextvars import ContextVar
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponseBase

from realtime.middleware import Middleware

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


class ActingMiddleware(Middleware):
    """Remembers the request while it is answered."""

    def _answer_now(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return super()._answer_now(request)
        finally:
            _request.reset(token)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return await super()._answer(request)
        finally:
            _request.reset(token)

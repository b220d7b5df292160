"""What browsers are told to refuse.

Owns the Content-Security-Policy of every answer; must not import any app.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

HEADER = "Content-Security-Policy"


def policy(request: HttpRequest) -> str:
    """The policy for an answer to `request`: nothing inline, nothing from elsewhere."""
    # 'self' covers the same host's WebSockets only in browsers newer than Safari 15.4.
    socket = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            f"connect-src 'self' {socket}",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class ContentSecurityPolicyMiddleware:
    """Sets the header wherever a view has not set a policy of its own.

    Serves both colours itself: a sync-only middleware would cost every async view a thread hop.
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
        response: HttpResponseBase = self.get_response(request)
        return _protected(request, response)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        return _protected(request, await self.get_response(request))


def _protected(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault(HEADER, policy(request))
    return response

"""What browsers are told to refuse.

Owns the Content-Security-Policy of every answer; must not import models.
"""

from django.http import HttpRequest, HttpResponseBase

from realtime.middleware import Middleware

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


class ContentSecurityPolicyMiddleware(Middleware):
    """Sets the header wherever a view has not set a policy of its own."""

    def _answer_now(self, request: HttpRequest) -> HttpResponseBase:
        return _protected(request, super()._answer_now(request))

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        return _protected(request, await super()._answer(request))


def _protected(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    response.headers.setdefault(HEADER, policy(request))
    return response

"""HTTP from banned addresses, refused before anything else is done for it."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from realtime.api.problems import answer, problem_of
from realtime.audit.recording import record_nowait
from realtime.bans.networks import table
from realtime.protocol.errors import Forbidden, Unavailable
from realtime.security.endings import BANNED

Application = Callable[[Any, Any, Any], Awaitable[None]]


def guarded(application: Application) -> Application:
    """An ASGI application for HTTP that answers 403, as problem details, to banned addresses."""

    async def answered(scope: Any, receive: Any, send: Any) -> None:
        address = (scope.get("client") or [None])[0]
        with suppress(Unavailable):  # what needs the database is refused anyway
            await table.known()
        if not table.hold(address):
            await application(scope, receive, send)
            return
        record_nowait(
            "connection_refused",
            actor=None,
            target=scope["path"],
            result="403",
            address=address,
            details={"reason": BANNED},
        )
        response = answer(
            problem_of(Forbidden("expected an address that is not banned, got one that is"))
        )
        headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})

    return answered

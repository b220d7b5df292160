"""The one tree of errors that a user may be told about.

    RealtimeError
    ├── BadRequest         the input does not fit: expected ..., got ...
    ├── UnknownCommand
    ├── Unauthorized       no or no longer valid credentials
    ├── Forbidden          known, and not allowed
    ├── NotFound           does not exist, or may not be known to exist
    ├── TooLarge
    ├── RateLimited        temporary; retry_after_ms says when
    ├── Conflict           the same reference, another content
    ├── NotSubscribed
    ├── LimitReached
    └── Unavailable        temporary: a part that is needed does not answer

Socket replies and REST problem details are both made from it. Anything else that is raised is
`internal` to a user and a traceback to the log.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from realtime.protocol.codes import ErrorCode


class RealtimeError(Exception):
    """`message` is lower-case, says what was expected and what came, and holds no secret."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL
    status: ClassVar[int] = 500
    temporary: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        retry_after_ms: int | None = None,
        details: Mapping[str, int] | None = None,
    ) -> None:
        """`details` are numbers for programs, such as the id of what is in the way."""
        super().__init__(message)
        self.message = message
        self.retry_after_ms = retry_after_ms
        self.details = details

    def as_wire(self) -> dict[str, Any]:
        """The `error` object of a reply."""
        return {
            "code": self.code.value,
            "message": self.message,
            "temporary": self.temporary,
            "retry_after_ms": self.retry_after_ms,
        }


class BadRequest(RealtimeError):
    code = ErrorCode.BAD_REQUEST
    status = 400


class UnknownCommand(RealtimeError):
    code = ErrorCode.UNKNOWN_COMMAND
    status = 400


class Unauthorized(RealtimeError):
    code = ErrorCode.UNAUTHORIZED
    status = 401


class Forbidden(RealtimeError):
    code = ErrorCode.FORBIDDEN
    status = 403


class NotFound(RealtimeError):
    code = ErrorCode.NOT_FOUND
    status = 404


class TooLarge(RealtimeError):
    code = ErrorCode.TOO_LARGE
    status = 413


class RateLimited(RealtimeError):
    code = ErrorCode.RATE_LIMITED
    status = 429
    temporary = True


class Conflict(RealtimeError):
    code = ErrorCode.CONFLICT
    status = 409


class NotSubscribed(RealtimeError):
    code = ErrorCode.NOT_SUBSCRIBED
    status = 409


class LimitReached(RealtimeError):
    code = ErrorCode.LIMIT_REACHED
    status = 409


class Unavailable(RealtimeError):
    code = ErrorCode.UNAVAILABLE
    status = 503
    temporary = True


class Internal(RealtimeError):
    """What a user is told of a fault of ours; the log has the traceback."""

    temporary = True

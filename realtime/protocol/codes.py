"""The closed sets of error codes and close codes (protocol document, section 6)."""

from enum import IntEnum, StrEnum


class ErrorCode(StrEnum):
    BAD_REQUEST = "bad_request"
    UNKNOWN_COMMAND = "unknown_command"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    RATE_LIMITED = "rate_limited"
    CONFLICT = "conflict"
    NOT_SUBSCRIBED = "not_subscribed"
    LIMIT_REACHED = "limit_reached"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class CloseCode(IntEnum):
    """44xx: do not retry as you are. 45xx and 10xx: retry with back-off and resume."""

    NORMAL = 1000
    GOING_AWAY = 1001
    INVALID_UTF8 = 1007
    TOO_LARGE = 1009
    KEEPALIVE_TIMEOUT = 1011
    SERVER_RESTART = 1012
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    REVOKED = 4409
    INTERNAL = 4500
    OVERLOADED = 4503
    SLOW_CONSUMER = 4508
    RATE_LIMITED = 4529

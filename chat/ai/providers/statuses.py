"""What an HTTP status of a provider means for a run. Its body is not shown: it may hold the key."""

from email.utils import parsedate_to_datetime
from http import HTTPStatus

from django.utils import timezone

from chat.ai.providers.protocol import Error, Trouble

_SET_UP = "the AI is not set up correctly; its operators have been told"
_AWAY = "the AI does not answer at present"


def error_of_status(status: int, retry_after: str | None = None) -> Error:
    """For a status that is not 200."""
    got = f"expected 200 from the provider, got {status}"
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        detail = f"AI_API_KEY: expected a key that the provider takes, got {status}"
        return not_set_up(detail)
    if status == HTTPStatus.NOT_FOUND:
        detail = f"AI_MODEL, AI_BASE_URL: expected a model that the provider has, got {status}"
        return not_set_up(detail)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = seconds_of(retry_after)
        text = "the AI is asked too much at present"
        return Error(Trouble.RATE_LIMITED, text, got, temporary=True, retry_after_s=wait_s)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        wait_s = seconds_of(retry_after)
        return away(got, retry_after_s=wait_s)
    return Error(Trouble.REFUSED, "the AI refused the question", got)


def not_set_up(detail: str) -> Error:
    """Only an operator can put it right."""
    return Error(Trouble.REFUSED, _SET_UP, detail, operator=True)


def away(detail: str, retry_after_s: float | None = None) -> Error:
    """The provider cannot be reached, or fails."""
    return Error(
        Trouble.UNAVAILABLE,
        _AWAY,
        detail,
        temporary=True,
        outage=True,
        retry_after_s=retry_after_s,
    )


def timed_out(limit_s: float) -> Error:
    return Error(
        Trouble.TIMEOUT,
        "the AI took too long",
        f"expected a piece of the answer within {limit_s:g} s, got none",
        temporary=True,
        outage=True,
    )


def bad_answer(detail: str) -> Error:
    return Error(Trouble.BAD_ANSWER, "the AI's answer could not be read", detail)


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds from now; the header has seconds or a date (RFC 9110, 10.2.3). None: neither."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - timezone.now()).total_seconds())

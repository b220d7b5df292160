"""What went wrong, as RFC 9457 problem details; from the same tree as the replies of sockets.

Every error of the API leaves through here: those of our tree, of Django, of Django REST framework,
of the database, and faults of ours, which are logged with their traceback and told without it.
"""

import logging
import re
from functools import singledispatch
from http import HTTPStatus
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from pydantic import BaseModel
from rest_framework import exceptions

from realtime.api.authentication import CHALLENGE
from realtime.api.inputs import InputError
from realtime.protocol.codes import ErrorCode
from realtime.protocol.errors import (
    BadRequest,
    Forbidden,
    Internal,
    NotFound,
    RateLimited,
    RealtimeError,
    Unauthorized,
    Unavailable,
)

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
_CODES = {
    400: ErrorCode.BAD_REQUEST,
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    413: ErrorCode.TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
    503: ErrorCode.UNAVAILABLE,
}
# Messages of actions begin with the field that they are about, where there is one.
_OF_A_FIELD = re.compile(r"(?P<field>[a-z_]+): (?P<text>expected .*)", re.DOTALL)
_OF_INPUT = {ErrorCode.BAD_REQUEST, ErrorCode.TOO_LARGE, ErrorCode.NOT_FOUND}


class Problem(BaseModel):
    """The body of every error. `type` stays about:blank, because `code` says what happened."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: ErrorCode
    temporary: bool
    retry_after_ms: int | None = None
    errors: dict[str, list[str]] | None = None
    details: dict[str, int] | None = None


def _of(error: RealtimeError, status: int | None = None, **fields: Any) -> Problem:
    number = status or error.status
    return Problem(
        title=HTTPStatus(number).phrase,
        status=number,
        detail=error.message,
        code=error.code,
        temporary=error.temporary,
        retry_after_ms=error.retry_after_ms,
        details=dict(error.details) if error.details else None,
        **fields,
    )


def _unexpected(error: Exception) -> Problem:
    """A fault of ours. Called where `error` is being handled."""
    logger.error("request failed error=%s", type(error).__name__, exc_info=error)
    return _of(Internal("expected an answer, got a fault of the server, which was logged"))


@singledispatch
def problem_of(error: Exception) -> Problem:
    """What a user is told of `error`; anything unknown is logged and told as `internal`."""
    return _unexpected(error)


@problem_of.register
def _(error: RealtimeError) -> Problem:
    # The errors of writers (an undeclared event, a missing lock) are faults of ours, too.
    if error.code is ErrorCode.INTERNAL:
        return _unexpected(error)
    return _of(error, errors=_by_field(error))


def _by_field(error: RealtimeError) -> dict[str, list[str]] | None:
    """What an action found wrong with a field stands where the validation's findings do."""
    named = _OF_A_FIELD.fullmatch(error.message) if error.code in _OF_INPUT else None
    return {named["field"]: [named["text"]]} if named else None


@problem_of.register
def _(error: InputError) -> Problem:
    return _of(error.first, errors=error.errors)


@problem_of.register
def _(error: Http404) -> Problem:
    return _of(NotFound("expected something that you may see, got none by that address"))


@problem_of.register
def _(error: PermissionDenied) -> Problem:
    return _of(Forbidden("expected a right that you do not have"))


@problem_of.register(SuspiciousOperation)
@problem_of.register(UnreadablePostError)
def _(error: Exception) -> Problem:
    return _of(BadRequest(f"expected a readable request, got {type(error).__name__}"))


@problem_of.register(OperationalError)
@problem_of.register(InterfaceError)
def _(error: Exception) -> Problem:
    logger.warning("database unavailable error=%s", type(error).__name__)
    text = "expected the database to answer, got none"
    return _of(Unavailable(text, retry_after_ms=1000))


@problem_of.register
def _(error: exceptions.APIException) -> Problem:
    status = error.status_code
    fallback = (
        ErrorCode.INTERNAL if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ErrorCode.BAD_REQUEST
    )
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=str(error.detail),
        code=_CODES.get(status, fallback),
        temporary=status >= HTTPStatus.INTERNAL_SERVER_ERROR,
    )


@problem_of.register
def _(error: exceptions.NotAuthenticated) -> Problem:
    return _of(Unauthorized("expected a session cookie or an Authorization header, got neither"))


@problem_of.register
def _(error: exceptions.Throttled) -> Problem:
    wait_ms = ceil((getattr(error, "wait", None) or 1) * 1000)
    return _of(RateLimited("expected fewer requests", retry_after_ms=wait_ms))


@problem_of.register
def _(error: exceptions.UnsupportedMediaType) -> Problem:
    return _of(BadRequest("expected Content-Type: application/json, got another"), 415)


def answer(problem: Problem) -> HttpResponse:
    """The problem as a response."""
    body = problem.model_dump_json(exclude_none=True)
    response = HttpResponse(body, status=problem.status, content_type=PROBLEM_TYPE)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = CHALLENGE
    if problem.retry_after_ms is not None:
        response["Retry-After"] = str(ceil(problem.retry_after_ms / 1000))
    return response


def problem_response(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler (settings, EXCEPTION_HANDLER). Never lets an exception through."""
    problem = problem_of(exc)
    if isinstance(exc, exceptions.MethodNotAllowed):
        allowed = ", ".join(context["view"].allowed_methods)
        problem.detail = f"expected one of {allowed}, got {context['request'].method}"
    return answer(problem)


@csrf_exempt
def api_not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Every path below /api/ that is none: not a page of HTML, and no redirect."""
    text = f"expected a path of the API (paths end in a slash), got {ascii(request.path)[:120]}"
    return answer(_of(NotFound(text)))

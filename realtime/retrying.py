"""Running an action's transaction again when the database chose it as a victim."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import stamina
from django.db import OperationalError, connection
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from realtime.protocol.errors import Unavailable
from realtime.tracing.spans import span

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 3
_VICTIMS = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not available

logger = logging.getLogger(__name__)


def busy(error: BaseException) -> bool:
    """Whether the database answered, and only others were in the way."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) in _VICTIMS or "database is locked" in str(error)


def _worth_another(error: Exception) -> bool:
    """Inside an outer transaction nothing is: that transaction is lost already."""
    return isinstance(error, OperationalError) and busy(error) and not connection.in_atomic_block


def retried(action: Callable[P, T]) -> Callable[P, T]:
    """Retry the action twice, with jitter, after a deadlock or a lock timeout.

    The action opens its own transaction; inside an outer one nothing is retried.
    Raises Unavailable when the last attempt fails so too.
    """

    @wraps(action)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        # Nearly every call ends here, and a retrying context costs as much as a statement.
        try:
            with span(action.__name__):
                return action(*args, **kwargs)
        except OperationalError as error:
            if not _worth_another(error):
                raise
            first: OperationalError | None = error
        try:
            for attempt in stamina.retry_context(
                on=_worth_another,
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=0.02,
                wait_max=0.2,
                wait_jitter=0.1,
            ):
                with attempt:
                    if first is not None:
                        failed, first = first, None
                        raise failed  # the attempt that was made above
                    return action(*args, **kwargs)
        except OperationalError as error:
            if not _worth_another(error):
                raise
            raise Unavailable(
                "expected the lock within 2 s, got a busy database", retry_after_ms=1000
            ) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    return run


def _log_retry(details: RetryDetails) -> None:
    """One line; stamina's own would hold the arguments, and so texts of people."""
    logger.info(
        "trying again attempt=%d wait_s=%.2f after=%s",
        details.retry_num + 1,
        details.wait_for,
        type(details.caused_by).__name__,
    )


set_on_retry_hooks([_log_retry])

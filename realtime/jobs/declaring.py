"""How a job is declared, and the table of those that are."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from django_tasks.base import Task

from realtime.jobs.context import JobContext

P = ParamSpec("P")
T = TypeVar("T")

MAX_ATTEMPTS = 5
TIMEOUT_S = 600.0

_declared: dict[str, "JobTask[Any, Any]"] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTask(Task[P, T]):
    """A Task of the Django Tasks API, with what our backend knows beyond it.

    unique_key: a job that waits with the same key makes a second one superfluous.
    """

    job_name: str = ""
    max_attempts: int = MAX_ATTEMPTS
    timeout_s: float = TIMEOUT_S
    unique_key: str | None = None

    def using(
        self,
        *,
        priority: int | None = None,
        queue_name: str | None = None,
        run_after: datetime | None = None,
        backend: str | None = None,
        unique_key: str | None = None,
    ) -> Self:
        """The job with other settings for one call: `task.using(priority=5).enqueue(...)`."""
        changes: dict[str, Any] = {
            "priority": priority,
            "queue_name": queue_name,
            "run_after": run_after,
            "backend": backend,
            "unique_key": unique_key,
        }
        return replace(self, **{name: new for name, new in changes.items() if new is not None})


def job(
    *,
    priority: int = 0,
    max_attempts: int = MAX_ATTEMPTS,
    timeout_s: float = TIMEOUT_S,
    name: str | None = None,
    queue: str = "default",
) -> Callable[[Callable[Concatenate[JobContext, P], Awaitable[T]]], JobTask[P, Awaitable[T]]]:
    """Declare an async function of a module as a job; its first argument is the `JobContext`.

    It may run more than once, although only one run at a time may write: see `JobContext.effect`.
    priority: -100 to 100, the highest first; timeout_s: of one attempt; name: what rows are known
    by, the function's path if not given. Raises ValueError when the name is taken.
    """

    def declare(
        function: Callable[Concatenate[JobContext, P], Awaitable[T]],
    ) -> JobTask[P, Awaitable[T]]:
        known_as = name or f"{function.__module__}.{function.__qualname__}"
        task: JobTask[P, Awaitable[T]] = JobTask(
            func=function,  # type: ignore[arg-type]  # called with the context before its arguments
            priority=priority,
            queue_name=queue,
            takes_context=True,
            job_name=known_as,
            max_attempts=max_attempts,
            timeout_s=timeout_s,
        )
        known = _declared.get(known_as)
        if known is not None and known.module_path != task.module_path:
            raise ValueError(f"expected a new name for {task.module_path}, got {known_as!r} again")
        _declared[known_as] = task
        return task

    return declare


def declared_job(name: str) -> JobTask[Any, Any] | None:
    """The job of that name; None where this program has none, as while versions change."""
    return _declared.get(name)

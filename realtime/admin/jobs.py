"""Jobs as an operator sees them: what waits, runs and died, with another chance or an end."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from realtime.admin.readonly import ReadOnlyAdmin
from realtime.jobs import cancel_job, retry_job
from realtime.models import Job, JobState, PeriodicJob


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Rows are written by workers alone; the two actions do what code would do."""

    list_display = [
        "id",
        "name",
        "state",
        "queue",
        "priority",
        "attempts",
        "age",
        "run_after",
        "worker",
        "error_class",
    ]
    list_display_links = ["id", "name"]
    list_filter = ["state", "queue", "enqueued_at"]
    search_fields = ["=id", "name", "=unique_key", "error_class"]
    ordering = ["-id"]
    actions = ["retry", "cancel"]
    fields = [
        "name",
        "arguments_as_json",
        "state",
        "queue",
        "priority",
        "attempts",
        "unique_key",
        "worker",
        "token",
        "cancel_requested",
        "enqueued_at",
        "run_after",
        "started_at",
        "lease_until",
        "finished_at",
        "error_class",
        "traceback",
    ]
    readonly_fields = ["attempts", "arguments_as_json", "traceback"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Tracebacks are up to 20,000 characters, and a list shows none.
        age = ExpressionWrapper(Now() - F("enqueued_at"), output_field=DurationField())
        found: QuerySet[Any] = super().get_queryset(request).annotate(waited=age)
        return found.defer("error", "arguments")

    @admin.display(ordering="attempt")
    def attempts(self, job: Job) -> str:
        return f"{job.attempt} of {job.max_attempts}"

    @admin.display(ordering="-enqueued_at")
    def age(self, job: Job) -> str:
        return timesince(job.enqueued_at, job.enqueued_at + job.waited)  # type: ignore[attr-defined]

    @admin.display(description="arguments")
    def arguments_as_json(self, job: Job) -> SafeString:
        return _preformatted(json.dumps(job.arguments, indent=2, ensure_ascii=False))

    @admin.display(description="traceback")
    def traceback(self, job: Job) -> SafeString:
        return _preformatted(job.error)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Asked by the actions: the rows themselves are nobody's to change."""
        return request.user.has_perm("realtime.change_job")

    @admin.action(description="Retry selected dead or cancelled jobs", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._tell(request, queryset, retry_job, "queued again")

    @admin.action(description="Cancel selected jobs", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Waiting ones at once; running ones are asked to end."""
        self._tell(request, queryset, _cancelled, "cancelled, or asked to end")

    def _tell(
        self,
        request: HttpRequest,
        queryset: QuerySet[Job],
        operation: Callable[[int], bool],
        done: str,
    ) -> None:
        """One by one: each is a transaction of its own."""
        keys = list(queryset.order_by("pk").values_list("pk", flat=True))
        count = sum(operation(key) for key in keys)
        message = f"{count} of {len(keys)} jobs {done}."
        self.message_user(request, message, messages.SUCCESS if count else messages.WARNING)


@admin.register(PeriodicJob)
class PeriodicJobAdmin(ReadOnlyAdmin):
    """When each is due next; how it went stands among the jobs of its name."""

    list_display = ["name", "next_at"]
    search_fields = ["name"]
    ordering = ["name"]


def _cancelled(job_id: int) -> bool:
    return cancel_job(job_id) in {JobState.CANCELLED, JobState.RUNNING}


def _preformatted(text: str) -> SafeString:
    return format_html("<pre>{}</pre>", text)

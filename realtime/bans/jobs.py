"""What workers do for bans. Imported by every worker, and by whoever enqueues."""

from realtime.jobs.context import JobContext
from realtime.jobs.declaring import job


@job(name="realtime.end_ban", max_attempts=8, timeout_s=60.0)
async def end_ban(context: JobContext, ban: int) -> None:
    """At the ban's own moment; one that was lifted before stays as it is."""
    from realtime.bans.imposing import expire_ban
    from realtime.models import Ban

    def expire() -> None:
        if Ban.objects.filter(pk=ban).exists():  # it goes with its person
            expire_ban(ban)

    await context.complete(expire)

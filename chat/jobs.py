"""What workers do for chat. Servers import this to enqueue: nothing here that only workers need."""

from django.utils import timezone

from realtime.database import in_database
from realtime.jobs import JobContext, job, periodic

CONTEXT_TIMEOUT_S = 3600.0  # a conversation that does not pause is followed by one job
EXPIRY_EVERY_S = 60.0
FADING_EVERY_S = 3600.0
RUN_PRIORITY = 50  # somebody waits for the answer
ABANDONED_EVERY_S = 60.0
RUN_TIMEOUT_S = 3600.0  # above all limits of its own, waiting for a place included


@job(name="chat.answer", priority=RUN_PRIORITY, timeout_s=RUN_TIMEOUT_S)
async def answer(context: JobContext, run: int) -> None:
    """Carry a run of the AI out."""
    from chat.ai.carrying_out import carry_out
    from chat.ai.office import this_office

    await carry_out(context, run, this_office())


@periodic(every_s=ABANDONED_EVERY_S, name="chat.end_abandoned_runs")
async def end_abandoned_runs(context: JobContext) -> None:
    """End runs that no job will: theirs is dead, or an operator has cancelled it."""
    from chat.actions.answering import end_abandoned_run
    from chat.queries.runs import abandoned_runs

    for run in await in_database(abandoned_runs):
        if context.cancel_requested.is_set():
            return
        await context.fenced(end_abandoned_run, run)


@job(name="chat.analyse_context", timeout_s=CONTEXT_TIMEOUT_S)
async def analyse_context(context: JobContext, project: int) -> None:
    """Find out what the project's new messages mean to it."""
    from chat.context.engine import follow

    await follow(context, project)


@periodic(every_s=EXPIRY_EVERY_S, name="chat.expire_memories")
async def expire_memories(context: JobContext) -> None:
    """Warn of memories that go within a day, and let those go whose time has come."""
    from chat.actions import expiry
    from chat.queries.expiry import projects_with_due

    for project_id in await in_database(projects_with_due, timezone.now()):
        while await context.fenced(expiry.expire_memories, project_id):
            if context.cancel_requested.is_set():
                return


@periodic(every_s=FADING_EVERY_S, name="chat.fade_memories")
async def fade_memories(context: JobContext) -> None:
    """Let memories that nobody uses fade, a page of them at a time."""
    from chat.actions.relevance import keep_relevance
    from chat.queries.relevance import page_of_faded

    now, last = timezone.now(), 0
    while not context.cancel_requested.is_set():
        end, faded = await in_database(page_of_faded, last, now)
        for project_id, memories in faded.items():
            await context.fenced(keep_relevance, project_id, memories)
        if end is None:
            return
        last = end

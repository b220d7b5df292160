"""What workers do for chat. Servers import this to enqueue: nothing here that only workers need."""

from realtime.jobs import JobContext, job

RUN_PRIORITY = 50  # somebody waits for the answer
RUN_TIMEOUT_S = 3600.0  # above all limits of its own, waiting for a place included


@job(name="chat.answer", priority=RUN_PRIORITY, timeout_s=RUN_TIMEOUT_S)
async def answer(context: JobContext, run: int) -> None:
    """Carry a run of the AI out."""
    from chat.ai.carrying_out import carry_out
    from chat.ai.office import this_office

    await carry_out(context, run, this_office())

"""What the context engine writes, and how it is set going."""

from chat import events
from chat.actions.proposals import propose
from chat.actions.relevance import use_memories
from chat.conf import options
from chat.context.findings import Findings
from chat.jobs import analyse_context
from chat.models import Message, ProjectContext
from chat.queries.sending import analysis_key
from realtime.jobs import enqueue_once
from realtime.log.locks import lock_streams
from realtime.log.writing import publish_many
from realtime.protocol.streams import project_stream


def analyse_on_commit(project_id: int) -> None:
    """Enqueue the analysis of what is new in the project, in the caller's transaction.

    One job waits per project, however many messages come. The caller holds the project's stream,
    which is what lets the job see all that counts on it.
    """
    if options().context_engine:
        enqueue_once(analyse_context, analysis_key(project_id), project=project_id)


def keep_findings(found: Findings) -> bool:
    """Tell what was found out; False where the message is gone, or was analysed by another worker.

    In the effect of the job (`JobContext.fenced`).
    """
    stream = project_stream(found.project)
    lock_streams(stream)
    if not Message.objects.filter(pk=found.message, deleted_at=None).exists():
        return False
    row, _ = ProjectContext.objects.get_or_create(project_id=found.project)
    if row.analysed_to >= found.message:
        return False
    row.analysed_to = found.message
    news = [events.similar_issues(found)] if found.issues else []
    if found.summary is not None and found.summary != row.summary:
        row.summary = found.summary
        news.append(events.context_summary(row))
    row.save()
    use_memories(found.project, [one.memory.pk for one in found.memories])
    propose(found.project, found.message, found.proposals)
    publish_many(stream, [*news, events.context_analysed(found)])
    return True

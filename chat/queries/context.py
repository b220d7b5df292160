"""What the context engine has still to do, and what it has made."""

from dataclasses import dataclass

from django.db import transaction

from chat.models import Message, MessageKind, ProjectContext
from realtime.log.locks import lock_streams
from realtime.models import Stream
from realtime.protocol.streams import project_stream

MOST_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Unanalysed:
    """A message as it was read. `head` is the seq that the project's stream had then."""

    id: int
    project: int
    body: str
    head: int

    @property
    def stream(self) -> str:
        return project_stream(self.project)


@transaction.atomic
def unanalysed(project_id: int) -> list[Unanalysed]:
    """The newest messages of people that were not analysed, oldest first.

    Of more than 20 the older ones are left out for good: their moment has passed. Under the lock
    of the stream: a message whose writer found the job still waiting, and therefore enqueued no
    other one, may not be committed yet.
    """
    stream = project_stream(project_id)
    lock_streams(stream)
    head = Stream.objects.filter(name=stream).values_list("head", flat=True).first() or 0
    context = ProjectContext.objects.filter(pk=project_id)
    done = context.values_list("analysed_to", flat=True).first() or 0
    rows = Message.objects.filter(
        project_id=project_id, kind=MessageKind.USER, deleted_at=None, pk__gt=done
    )
    newest = rows.order_by("-pk").values_list("pk", "body")[:MOST_AT_ONCE]
    return [Unanalysed(key, project_id, body, head) for key, body in reversed(list(newest))]


def summary_of(project_id: int) -> str:
    """As it was told last."""
    rows = ProjectContext.objects.filter(pk=project_id)
    return rows.values_list("summary", flat=True).first() or ""

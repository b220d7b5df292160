"""Telling what rests on memories that they changed, or go."""

from collections.abc import Iterable

from chat import events
from chat.models import Memory
from chat.queries.dependencies import dependencies_of, dependents_of
from realtime.log.writing import publish
from realtime.protocol.streams import project_stream


def tell_dependents(memories: Iterable[Memory], *, going: bool) -> None:
    """Everything that rests on them, directly or by others, once. The caller holds the streams.

    Before a deletion (`going`) those that rest on one of them directly are left out: they are told
    when they lose their dependency, which is in no list any more then.
    """
    by_project: dict[int, set[int]] = {}
    for memory in memories:
        by_project.setdefault(memory.project_id, set()).add(memory.pk)
    for project_id, ids in sorted(by_project.items()):
        reached = dependents_of(project_id, sorted(ids))
        every = dependencies_of(reached)
        for key, because in reached.items():
            if not (going and ids.intersection(every[key])):
                draft = events.dependency_updated(key, every[key], because)
                publish(project_stream(project_id), draft)

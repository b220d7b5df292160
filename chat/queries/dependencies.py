"""What rests on what, within a project."""

from collections.abc import Iterable
from itertools import islice

from chat.models import MemoryDependency

MOST_DEPENDENTS = 200


def dependents_of(
    project_id: int, memories: Iterable[int], limit: int = MOST_DEPENDENTS
) -> dict[int, int]:
    """The memories that rest on any of these, directly or by others, the nearest first; each with
    that one of `memories` by which it was reached.

    None of `memories` itself is among them, and nobody is followed twice: circles end.
    """
    reached = {memory: memory for memory in memories}
    given = len(reached)
    edge = list(reached)
    while edge and len(reached) - given < limit:
        rows = MemoryDependency.objects.filter(
            depends_on_id__in=edge, memory__project_id=project_id
        )
        edge = []
        for memory, depends_on in rows.order_by("memory_id", "depends_on_id").values_list(
            "memory_id", "depends_on_id"
        ):
            if memory not in reached:
                reached[memory] = reached[depends_on]
                edge.append(memory)
    return dict(islice(reached.items(), given, given + limit))


def dependencies_of(memories: Iterable[int]) -> dict[int, list[int]]:
    """What each of them depends on."""
    found: dict[int, list[int]] = {memory: [] for memory in memories}
    rows = MemoryDependency.objects.filter(memory_id__in=found)
    for memory, depends_on in rows.values_list("memory_id", "depends_on_id"):
        found[memory].append(depends_on)
    return found

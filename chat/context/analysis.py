"""The steps of an analysis. Synchronous; each runs in a database thread and writes nothing.

Every query is limited to the message's project, whatever its text says.
"""

import re
from collections.abc import Callable

from chat.context.findings import Findings, Step
from chat.context.proposals import proposals_in
from chat.context.summary import summarised
from chat.context.terms import key_terms
from chat.models import Memory, MemoryKind
from chat.queries.dependencies import dependents_of
from chat.queries.similar import Match, similar_memories

SEARCHED = 20
MOST_MEMORIES = 8
MOST_ISSUES = 5
MOST_DEPENDENCIES = 50
_MARK = re.compile(r"\[memory:([1-9][0-9]{0,17})\]")


def find_terms(found: Findings) -> None:
    found.terms = key_terms(_said(found))


def find_memories(found: Findings) -> None:
    """Those that are named, and those that say what the message says."""
    named = _named(found)
    similar = similar_memories(found.project, _said(found), SEARCHED)
    known = {one.memory.pk for one in named}
    found.mode = similar.mode
    found.matches = [*named, *(one for one in similar.matches if one.memory.pk not in known)]
    found.memories = found.matches[:MOST_MEMORIES]


def find_issues(found: Findings) -> None:
    """Those issues of what was found: the same search, so the same scores."""
    issues = [one for one in found.matches if one.memory.kind == MemoryKind.ISSUE]
    found.issues = issues[:MOST_ISSUES]


def find_dependencies(found: Findings) -> None:
    """What rests on the memories that matter: it may have to change with them."""
    ids = [one.memory.pk for one in found.memories]
    found.dependencies = list(dependents_of(found.project, ids, MOST_DEPENDENCIES))


def find_proposals(found: Findings) -> None:
    found.proposals = proposals_in(found.body)


def find_summary(found: Findings) -> None:
    found.summary = summarised(found.project)


def _said(found: Findings) -> str:
    """Without marks, which are no words."""
    return _MARK.sub(" ", found.body)


def _named(found: Findings) -> list[Match]:
    """Marked as answers mark them: `[memory:12]`."""
    ids = list(dict.fromkeys(map(int, _MARK.findall(found.body))))[:MOST_MEMORIES]
    if not ids:
        return []
    rows = Memory.objects.kept().filter(project_id=found.project).in_bulk(ids)
    return [Match(rows[key], 1.0, "named in the message") for key in ids if key in rows]


STEPS: dict[Step, Callable[[Findings], None]] = {
    Step.TERMS: find_terms,
    Step.MEMORIES: find_memories,
    Step.ISSUES: find_issues,
    Step.DEPENDENCIES: find_dependencies,
    Step.PROPOSALS: find_proposals,
    Step.SUMMARY: find_summary,
}

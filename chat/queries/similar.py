"""Memories of a project that say what a text says.

Access is by query: only the project's own memories are looked at, whatever the text asks for. The
caller has checked that whoever asks may read the project.
"""

from dataclasses import dataclass
from enum import StrEnum

from chat.models import Memory
from chat.search import client
from chat.search.client import Found
from chat.search.keywords import keyword_search
from chat.search.words import shared_words
from realtime.protocol.errors import Unavailable

MAX_SHARED_WORDS = 4
_PLAIN = 0.15  # share of the question's words from which on they explain a match


class SearchMode(StrEnum):
    """How a search was made; `KEYWORDS` while the embedder is away."""

    MEANING = "meaning"
    KEYWORDS = "keywords"


@dataclass(frozen=True, slots=True)
class Match:
    """`score` is from 0 to 1; `why` is a short text for people."""

    memory: Memory
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Similar:
    mode: SearchMode
    matches: list[Match]


def similar_memories(project_id: int, text: str, limit: int = 5) -> Similar:
    """The `limit` best matches, best first; none below the threshold. At most a second by meaning,
    then by keywords."""
    try:
        return Similar(SearchMode.MEANING, memories_by_meaning(project_id, text, limit))
    except Unavailable:
        found = keyword_search(project_id, text, limit)
        matches = _matches(project_id, text, found, SearchMode.KEYWORDS)
        return Similar(SearchMode.KEYWORDS, matches)


def memories_by_meaning(project_id: int, text: str, limit: int) -> list[Match]:
    """As `similar_memories`, for whoever has something else while the embedder is away.

    What has no vector yet is not found. Raises Unavailable, after a second at most.
    """
    found = client.search(project_id, text, limit)
    return _matches(project_id, text, found, SearchMode.MEANING)


def _matches(project_id: int, text: str, found: list[Found], mode: SearchMode) -> list[Match]:
    rows = Memory.objects.kept().filter(project_id=project_id, pk__in=[one.memory for one in found])
    present = {row.pk: row for row in rows.prefetch_related("dependencies")}
    return [
        Match(present[one.memory], one.score, _why(text, present[one.memory], one, mode))
        for one in found
        if one.memory in present
    ]


def _why(text: str, memory: Memory, found: Found, mode: SearchMode) -> str:
    shared = shared_words(text, f"{memory.title}\n{memory.body}", MAX_SHARED_WORDS)
    named = ", ".join(f"“{word}”" for word in shared)
    if mode is SearchMode.KEYWORDS:
        return f"keywords only: shares {named}" if named else "keywords only"
    if not named:
        return "similar meaning"
    if found.keywords >= _PLAIN:
        return f"shares {named} and a similar meaning"
    return f"similar meaning; shares {named}"

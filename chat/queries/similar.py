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
        mode, found = SearchMode.MEANING, client.search(project_id, text, limit)
    except Unavailable:
        mode, found = SearchMode.KEYWORDS, keyword_search(project_id, text, limit)
    rows = Memory.objects.filter(project_id=project_id, pk__in=[one.memory for one in found])
    present = {row.pk: row for row in rows.prefetch_related("dependencies")}
    matches = [
        Match(present[one.memory], one.score, _why(text, present[one.memory], one, mode))
        for one in found
        if one.memory in present
    ]
    return Similar(mode, matches)


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

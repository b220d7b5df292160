"""What a project knows of a question. Every query is limited to the project: no text of a prompt
can widen it."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from django.db.models import Q, QuerySet

from chat.ai.providers.protocol import Passage
from chat.models import Memory, Message, MessageKind, Relevance
from chat.queries.similar import memories_by_meaning
from realtime.protocol.errors import Unavailable

CANDIDATES = 200  # of each kind, the newest
MAX_TERMS = 12
SHORTEST_TERM = 3
_WORD = re.compile(r"\w+")
_IGNORED_TEXT = (
    "the and for are was were has have had not but you your our they them their this that these "
    "those with from what when where which who whom whose why how does did can could should would "
    "will shall may might about into over under there here please tell know any some all been "
    "being its say said anything something"
)
_IGNORED = frozenset(_IGNORED_TEXT.split())
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ed", "es", "ly", "s")


class Retrieval(Protocol):
    """Synchronous; runs in a database thread."""

    def relevant(self, project_id: int, text: str, *, limit: int) -> Sequence[Passage]:
        """The best first, of this project only."""


def terms(text: str) -> list[str]:
    """The words that matter, without their endings, each once, in order."""
    found: dict[str, None] = {}
    for word in _WORD.findall(text.lower()):
        if len(word) >= SHORTEST_TERM and word not in _IGNORED:
            found[_stem(word)] = None
    return list(found)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_TERM + 1:
            return word[: -len(ending)]
    return word


class KeywordRetrieval:
    """By shared words, rare ones counting more: the share of the question's weight that is met."""

    def relevant(self, project_id: int, text: str, *, limit: int) -> Sequence[Passage]:
        wanted = terms(text)[:MAX_TERMS]
        if not wanted:
            return []
        every = Memory.objects.kept().filter(project_id=project_id)
        documents = [*_memories(every, wanted), *_messages(project_id, wanted)]
        return _best(_by_words(documents, wanted), limit)


class MeaningRetrieval:
    """Memories by what they say, messages by shared words; all by words while the embedder is away.

    A memory that was just stored has no vector yet: until then it is found by its words, so that
    whoever stores something and asks at once has an answer.
    """

    def relevant(self, project_id: int, text: str, *, limit: int) -> Sequence[Passage]:
        try:
            matches = memories_by_meaning(project_id, text, limit)
        except Unavailable:
            return KeywordRetrieval().relevant(project_id, text, limit=limit)
        meant = [_passage(one.memory, one.score, one.why) for one in matches]
        wanted = terms(text)[:MAX_TERMS]
        new = Memory.objects.kept().filter(project_id=project_id, vector=None)
        others = [*_memories(new, wanted), *_messages(project_id, wanted)] if wanted else []
        # Words rank the others, which have nothing else. What is meant has the better of both
        # scores, or a message with the same words would push it out.
        by_words = _by_words([*meant, *others], wanted)
        better = [
            max(pair, key=lambda one: one.score) for pair in zip(meant, by_words, strict=False)
        ]
        return _best([*better, *by_words[len(meant) :]], limit)


def _best(scored: Iterable[Passage], limit: int) -> list[Passage]:
    found = [one for one in scored if one.score > 0]
    return sorted(found, key=lambda one: (-one.score, one.kind, -one.id))[:limit]


def _by_words(documents: Sequence[Passage], wanted: Sequence[str]) -> list[Passage]:
    """The documents in their order, scored by the words that they share with the question."""
    words = [frozenset(terms(f"{one.title} {one.text}")) for one in documents]
    weights = _weights(wanted, words)
    whole = sum(weights.values()) or 1.0
    return [
        _scored(one, [term for term in wanted if term in own], weights, whole)
        for one, own in zip(documents, words, strict=True)
    ]


def _weights(wanted: Sequence[str], words: Sequence[frozenset[str]]) -> dict[str, float]:
    counts = Counter(term for own in words for term in wanted if term in own)
    # A word that nothing has says nothing of which passage fits, but much of whether one does.
    return {term: math.log(1 + (len(words) + 1) / (1 + counts[term])) for term in wanted}


def _scored(one: Passage, shared: list[str], weights: dict[str, float], whole: float) -> Passage:
    score = sum(weights[term] for term in shared) / whole
    why = f"shares {', '.join(shared[:5])}" if shared else ""
    return replace(one, score=round(score, 3), why=why)


def _matching(field_names: Iterable[str], wanted: Iterable[str]) -> Q:
    matching = Q()
    for term in wanted:
        for name in field_names:
            matching |= Q(**{f"{name}__icontains": term})
    return matching


def _memories(rows: QuerySet[Memory], wanted: Sequence[str]) -> list[Passage]:
    found = rows.filter(_matching(["title", "body"], wanted)).order_by("-pk")[:CANDIDATES]
    return [_passage(row) for row in found]


def _passage(row: Memory, score: float = 0.0, why: str = "") -> Passage:
    faded = row.relevance == Relevance.LOW
    return Passage("memory", row.pk, row.title, row.body, score, why, faded)


def _messages(project_id: int, wanted: Sequence[str]) -> list[Passage]:
    """What people said, but for questions to the AI: those would answer themselves."""
    rows: QuerySet[Message] = Message.objects.filter(
        project_id=project_id, kind=MessageKind.USER, deleted_at=None, asked_runs=None
    )
    found = rows.filter(_matching(["body"], wanted)).order_by("-pk")[:CANDIDATES]
    return [Passage("message", row.pk, "", row.body, 0.0, "") for row in found]

"""Finding memories by their words alone, while the embedder is away: in the database, bounded.

The database counts and chooses, this module scores what was chosen (BM25): a server keeps no index
of its own. Only the newest memories of a large project are looked at.
"""

import math
from collections import Counter

from django.db.models import Case, Count, FloatField, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from chat.models import Memory
from chat.search.client import Found
from chat.search.words import stem, words

MAX_STEMS = 8  # of a question: the longest, which are the rarest more often than not
MAX_MEMORIES = 5_000  # of a project that are looked at
MAX_CANDIDATES = 200
# Of the best score that the question could get. Questions about something else reach 0.15.
THRESHOLD = 0.16
_K1, _B = 1.2, 0.75  # BM25's usual constants


def keyword_search(project: int, text: str, limit: int) -> list[Found]:
    """Memories of the project that share telling words with the text, best first."""
    stems = sorted({stem(word) for word in words(text)}, key=lambda one: (-len(one), one))
    stems = stems[:MAX_STEMS]
    rows = _looked_at(project)
    total, counts = _counts(rows, stems)
    weights = {
        one: math.log(1 + (total - known + 0.5) / (known + 0.5))
        for one, known in zip(stems, counts, strict=True)
        if known
    }
    missing = sum(math.log(1 + (total + 0.5) / 0.5) for known in counts if not known)
    if not weights:
        return []
    candidates = _candidates(rows, weights)
    texts = {
        row.pk: [stem(word) for word in words(f"{row.title}\n{row.body}")] for row in candidates
    }
    mean_length = sum(map(len, texts.values())) / max(1, len(texts))
    best = (sum(weights.values()) + missing) * (_K1 + 1)
    found = []
    for key, there in texts.items():
        score = _bm25(Counter(there), len(there) / max(1.0, mean_length), weights) / best
        if score >= THRESHOLD:
            found.append(Found(key, round(min(1.0, score), 4), round(min(1.0, score), 4)))
    found.sort(key=lambda one: (-one.score, one.memory))
    return found[:limit]


def _looked_at(project: int) -> QuerySet[Memory]:
    every: QuerySet[Memory] = Memory.objects.kept().filter(project_id=project)
    oldest = every.order_by("-pk").values_list("pk", flat=True)[MAX_MEMORIES - 1 : MAX_MEMORIES]
    first = next(iter(oldest), None)
    return every if first is None else every.filter(pk__gte=first)


def _has(one: str) -> Q:
    return Q(title__icontains=one) | Q(body__icontains=one)


def _counts(rows: QuerySet[Memory], stems: list[str]) -> tuple[int, list[int]]:
    """How many memories there are, and how many of them have each stem."""
    named = {f"stem{place}": Count("pk", filter=_has(one)) for place, one in enumerate(stems)}
    found = rows.aggregate(total=Count("pk"), **named)
    return found["total"], [found[name] for name in named]


def _candidates(rows: QuerySet[Memory], weights: dict[str, float]) -> list[Memory]:
    points = Value(0.0, output_field=FloatField())
    for one, weight in weights.items():
        points = points + Case(  # type: ignore[assignment]
            When(_has(one), then=Value(weight)), default=Value(0.0), output_field=FloatField()
        )
    scored = rows.annotate(points=Coalesce(points, Value(0.0))).filter(points__gt=0)
    return list(scored.only("title", "body").order_by("-points", "-pk")[:MAX_CANDIDATES])


def _bm25(counts: Counter[str], length: float, weights: dict[str, float]) -> float:
    return sum(
        weight * counts[one] * (_K1 + 1) / (counts[one] + _K1 * (1 - _B + _B * length))
        for one, weight in weights.items()
    )

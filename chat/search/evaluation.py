"""How good the search is, on questions whose answers are known."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, quantiles
from typing import Literal

from pydantic import BaseModel, ConfigDict

from chat.queries.similar import SearchMode, similar_memories
from realtime.protocol.errors import BadRequest
from realtime.protocol.validation import validated

FOUND_WITHIN = 5


class Question(BaseModel):
    """`relevant` holds references of memories; none of them answers a question of kind `none`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    query: str
    relevant: tuple[str, ...]
    kind: Literal["paraphrase", "keyword", "none"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`found` are the references of what was shown, best first."""

    question: Question
    found: tuple[str | None, ...]
    mode: SearchMode
    elapsed_ms: float

    @property
    def recall(self) -> float:
        """The share of the relevant ones among the first five, of those that five can hold."""
        hits = len(set(self.found[:FOUND_WITHIN]) & set(self.question.relevant))
        return hits / min(FOUND_WITHIN, len(self.question.relevant))

    @property
    def first(self) -> bool:
        return bool(self.found) and self.found[0] in self.question.relevant

    @property
    def reciprocal_rank(self) -> float:
        places = [at for at, one in enumerate(self.found, 1) if one in self.question.relevant]
        return 1 / places[0] if places else 0.0

    @property
    def missed(self) -> list[str]:
        shown = set(self.found[:FOUND_WITHIN])
        return [one for one in self.question.relevant if one not in shown]


def read_questions(path: Path) -> list[Question]:
    """One JSON object a line. Raises OSError, BadRequest."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.strip():
            try:
                found.append(validated(Question, json.loads(line)))
            except ValueError as error:
                raise BadRequest(f"line {number}: expected a JSON object, got {error}") from error
    return found


def asked(project_id: int, questions: Iterable[Question]) -> Iterator[Answer]:
    for question in questions:
        started = time.perf_counter()
        found = similar_memories(project_id, question.query, FOUND_WITHIN * 2)
        elapsed_ms = (time.perf_counter() - started) * 1000
        references = tuple(match.memory.reference for match in found.matches)
        yield Answer(question, references, found.mode, elapsed_ms)


def summary(answers: Sequence[Answer]) -> Iterator[str]:
    """Lines: a row per kind, the times, what was missed and what should not have been shown."""
    modes = sorted({answer.mode for answer in answers})
    yield f"{len(answers)} questions, by {' and '.join(modes)}"
    for kind in ("paraphrase", "keyword"):
        of_kind = [answer for answer in answers if answer.question.kind == kind]
        if of_kind:
            yield (
                f"{kind:<11} recall@5 {fmean(one.recall for one in of_kind):.3f}  "
                f"recall@1 {fmean(one.first for one in of_kind):.3f}  "
                f"MRR {fmean(one.reciprocal_rank for one in of_kind):.3f}  ({len(of_kind)})"
            )
    nothing = [answer for answer in answers if answer.question.kind == "none"]
    if nothing:
        silent = sum(not answer.found for answer in nothing)
        yield f"none        answered with nothing {silent} of {len(nothing)}"
    times = [answer.elapsed_ms for answer in answers]
    if len(times) > 1:
        cuts = quantiles(times, n=20, method="inclusive")
        yield f"time        median {cuts[9]:.1f} ms, p95 {cuts[18]:.1f} ms"
    for answer in answers:
        if answer.question.kind != "none" and answer.missed:
            yield f"missed {', '.join(answer.missed)}: {answer.question.query}"
        if answer.question.kind == "none" and answer.found:
            yield f"shown {answer.found[0]}: {answer.question.query}"

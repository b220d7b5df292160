"""What the embedder does when asked. Everything here runs in its one computing thread."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from chat.models import MemoryVector
from chat.search.engine.library import Library
from chat.search.engine.model import MODEL, VERSION, EmbeddingModel, packed, unpacked
from chat.search.engine.ranking import THRESHOLD, Text, calibrated, raw_score

CANDIDATES = 40


class Service:
    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model
        self._library = Library()

    def embedded(self, text: str) -> dict[str, str]:
        """`{vector, pieces, words}`, as `MemoryVector` keeps them, in base64."""
        found = self._model.encode(text)
        return {
            "vector": _base64(found.vector.tobytes()),
            "pieces": _base64(found.pieces.tobytes()),
            "words": _base64(packed(found.words)),
        }

    def search(self, project: int, text: str, limit: int) -> list[dict[str, Any]]:
        """`[{memory, score, keywords}]`, best first, of that project, above the threshold."""
        question = self._model.encode(text)
        index = self._library.index_of(project)
        if not len(index) or not len(question.pieces):
            return []
        candidates = index.candidates(question, max(CANDIDATES, limit))
        texts = _texts(project, [candidate.row for candidate in candidates])
        every = [question.pieces, *(text.pieces for text in texts.values())]
        weights = index.weights(np.concatenate(every))
        found = []
        for candidate in candidates:
            there = texts.get(candidate.row)
            if there is None:
                continue  # deleted since
            score = calibrated(raw_score(question, there, candidate.keywords, weights))
            if score >= THRESHOLD:
                found.append(
                    {
                        "memory": candidate.memory,
                        "score": round(score, 4),
                        "keywords": round(candidate.keywords, 4),
                    }
                )
        found.sort(key=lambda one: (-one["score"], one["memory"]))
        return found[:limit]


def _texts(project: int, rows: list[int]) -> Mapping[int, Text]:
    values = MemoryVector.objects.filter(project_id=project, pk__in=rows)
    return {
        pk: Text(np.frombuffer(bytes(pieces), np.uint16), unpacked(bytes(words)))
        for pk, pieces, words in values.values_list("pk", "pieces", "words")
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def identity() -> dict[str, str]:
    return {"model": MODEL, "version": VERSION}

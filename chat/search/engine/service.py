"""What the embedder does when asked. Everything here runs in its one computing thread."""

import base64
from typing import Any, NamedTuple

import numpy as np

from chat.models import MemoryVector
from chat.search.engine.library import Library
from chat.search.engine.model import MODEL, VERSION, EmbeddingModel, Floats, Pieces, packed
from chat.search.engine.ranking import ANSWERED, SHOWN, Text, calibrated, raw_scores, spoken_for

CANDIDATES = 40


class Service:
    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model
        self._library = Library(model.caps)

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
        if not len(index):
            return []
        candidates = index.candidates(question, max(CANDIDATES, limit))
        stored = _stored(project, [candidate.row for candidate in candidates])
        candidates = [one for one in candidates if one.row in stored]  # not deleted since
        if not candidates:
            return []
        texts = [
            Text(stored[one.row].pieces, stored[one.row].words, one.keywords) for one in candidates
        ]
        weights = index.weights(np.concatenate([question.pieces, *(text.pieces for text in texts)]))
        raw = raw_scores(question, texts, weights)
        if calibrated(float(raw.max())) < ANSWERED:
            return []
        vectors = np.stack([stored[one.row].vector for one in candidates])
        found: list[dict[str, Any]] = []
        for place in np.argsort(-spoken_for(question.vector, vectors, raw), kind="stable"):
            score = calibrated(float(raw[place]))
            if score >= SHOWN and len(found) < limit:
                # A list by score, whoever spoke for whom.
                score = min(score, found[-1]["score"]) if found else score
                keywords = round(candidates[place].keywords, 4)
                found.append(
                    {
                        "memory": candidates[place].memory,
                        "score": round(score, 4),
                        "keywords": keywords,
                    }
                )
        return found


class _Stored(NamedTuple):
    """What words are compared by, as the row has it."""

    vector: Floats
    pieces: Pieces
    words: bytes


def _stored(project: int, rows: list[int]) -> dict[int, _Stored]:
    values = MemoryVector.objects.filter(project_id=project, pk__in=rows)
    return {
        pk: _Stored(
            np.frombuffer(bytes(vector), np.float32),
            np.frombuffer(bytes(pieces), np.uint16),
            bytes(words),
        )
        for pk, vector, pieces, words in values.values_list("pk", "vector", "pieces", "words")
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def identity() -> dict[str, str]:
    return {"model": MODEL, "version": VERSION}

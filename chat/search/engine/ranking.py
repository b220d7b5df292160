"""How well a memory answers a question: the words of both compared in their contexts.

One vector for a whole text says what it is about; whether it is the same problem is in the words.
So for each telling word piece of the question the nearest one of the memory is looked for, and the
other way round (late interaction, Khattab and Zaharia, "ColBERT", 2020), each weighted by how rare
it is in the project. Keywords add what the model does not know: names, codes, error texts.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chat.search.engine.model import Encoded, Floats, Pieces

FORWARD, BACKWARD, KEYWORDS = 1.0, 0.3, 0.2
# From raw scores to 0..1, where 0.5 is the threshold: docs/search.md says on which questions the
# two numbers were fitted.
MIDDLE = 0.33
STEEPNESS = 18.0
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Text:
    """A candidate's pieces and their vectors, as the database has them."""

    pieces: Pieces
    words: Floats


def raw_score(question: Encoded, text: Text, keywords: float, weights: dict[int, float]) -> float:
    """From about 0 to 1. `weights` of the pieces of both, `keywords` as the index scored them."""
    if not len(question.pieces) or not len(text.pieces):
        return 0.0
    nearness = question.words @ text.words.T
    forward = _mean(nearness.max(axis=1), _of(question.pieces, weights))
    backward = _mean(nearness.max(axis=0), _of(text.pieces, weights))
    total = FORWARD * forward + BACKWARD * backward + KEYWORDS * keywords
    return total / (FORWARD + BACKWARD + KEYWORDS)


def calibrated(raw: float) -> float:
    """How likely it is, from 0 to 1, that a memory with this raw score answers the question."""
    return 1 / (1 + math.exp(-STEEPNESS * (raw - MIDDLE)))


def _of(pieces: Pieces, weights: dict[int, float]) -> npt.NDArray[np.float64]:
    return np.array([weights[int(piece)] for piece in pieces])


def _mean(values: Floats, weights: npt.NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return float(values @ weights) / total if total else 0.0

"""How well a memory answers a question: the words of both compared in their contexts.

One vector for a whole text says what it is about; whether it is the same problem is in the words.
So for each telling word piece of the question the nearest one of the memory is looked for, and the
other way round (late interaction, Khattab and Zaharia, "ColBERT", 2020), each weighted by how rare
it is in the project. Keywords add what the model does not know: names, codes, error texts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chat.search.engine.model import Encoded, Floats, Pieces, unit, unpacked

FORWARD, BACKWARD, KEYWORDS = 1.0, 0.3, 0.1
# From raw scores to 0..1: docs/search.md says on which questions the two numbers were fitted.
MIDDLE = 0.33
STEEPNESS = 19.0
# A question is answered when its best memory is above the first; what is shown beside it, when it
# is above the second: of several reports of one problem some are in words that are further off.
ANSWERED = 0.5
SHOWN = 0.25
# The best so many memories speak for the question too, with this weight beside the raw score:
# reports of one problem are nearer to each other than to a question in other words (Rocchio, 1971).
SPEAKERS = 3
SPEAKERS_WEIGHT = 0.3 / 1.4
_LEAST = 1e-6  # of a sum of weights that something is divided by
_SPEAKERS_SPREAD = 0.05 / 1.4  # raw score by which a speaker's voice falls to a third


@dataclass(frozen=True, slots=True)
class Text:
    """A candidate's pieces (n,) and their vectors in 2 bits, as the database has them. n >= 1."""

    pieces: Pieces
    words: bytes
    keywords: float


def raw_scores(question: Encoded, texts: Sequence[Text], weights: dict[int, float]) -> Floats:
    """From about 0 to 1 each, (n,). `weights` has the pieces of the question and of the texts."""
    every = unpacked(b"".join(text.words for text in texts))
    begins = np.cumsum([0, *(len(text.pieces) for text in texts[:-1])])
    nearness = question.words @ every.T  # (pieces of the question, pieces of all texts)
    asked = _of(question.pieces, weights)
    told = _of(np.concatenate([text.pieces for text in texts]), weights)
    forward = asked @ np.maximum.reduceat(nearness, begins, axis=1) / max(asked.sum(), _LEAST)
    backward = np.add.reduceat(nearness.max(axis=0) * told, begins)
    backward = backward / np.maximum(np.add.reduceat(told, begins), _LEAST)
    keywords = np.array([text.keywords for text in texts], np.float32)
    total = FORWARD * forward + BACKWARD * backward + KEYWORDS * keywords
    scores: Floats = (total / (FORWARD + BACKWARD + KEYWORDS)).astype(np.float32)
    return scores


def spoken_for(question: Floats, vectors: Floats, raw: Floats) -> Floats:
    """The raw scores (n,) with what the best of the vectors (n, 384) say for the others."""
    best = np.argsort(-raw, kind="stable")[:SPEAKERS]
    voices = np.exp((raw[best] - raw[best[0]]) / _SPEAKERS_SPREAD)
    widened = unit(question + unit(voices @ vectors[best]))
    return (raw + SPEAKERS_WEIGHT * (vectors @ widened)).astype(np.float32)


def calibrated(raw: float) -> float:
    """How likely it is, from 0 to 1, that a memory with this raw score answers the question."""
    return 1 / (1 + math.exp(-STEEPNESS * (raw - MIDDLE)))


def _of(pieces: Pieces, weights: dict[int, float]) -> Floats:
    return np.array([weights[piece] for piece in pieces.tolist()], np.float32)

"""A part of a project's index: the vectors and the word pieces of some memories, as arrays."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import cast

import numpy as np
import numpy.typing as npt

from chat.search.engine.model import DIMENSIONS, Floats, Pieces

Rows = npt.NDArray[np.int64]

# BM25 (Robertson and Zaragoza, 2009) with the constants that everybody takes.
K1 = 1.2
B = 0.75


@dataclass(frozen=True, slots=True)
class Entry:
    """A memory as its row in the database has it; `row` is the row's id, new with each text."""

    row: int
    memory: int
    vector: bytes
    pieces: bytes


class Segment:
    """Never changed but for `alive`: entries that were replaced or deleted are only marked."""

    def __init__(self, entries: Iterable[Entry], most: int, *, vectors: bool = True) -> None:
        """`most` entries are taken. Arrays are made once, so that loading needs no second copy.

        vectors: whether they are kept; without them there are no `similarities`
        """
        rows, memories, texts = array("q"), array("q"), array("H")
        lengths = array("I")
        kept: Floats = np.empty((most if vectors else 0, DIMENSIONS), np.float32)
        for place, entry in enumerate(islice(entries, most)):
            rows.append(entry.row)
            memories.append(entry.memory)
            if vectors:
                kept[place] = np.frombuffer(entry.vector, np.float32)
            texts.frombytes(entry.pieces)
            lengths.append(len(entry.pieces) // texts.itemsize)
        self.rows: Rows = np.array(rows, np.int64)
        self.memories: Rows = np.array(memories, np.int64)
        self.alive: npt.NDArray[np.bool_] = np.ones(len(rows), np.bool_)
        self._vectors = kept[: len(rows)]
        self._lengths: Floats = np.array(lengths, np.float32)
        self.pieces_total = len(texts)
        owners = np.repeat(np.arange(len(rows), dtype=np.uint32), np.array(lengths, np.int64))
        self._index(np.array(texts, np.uint16), owners)

    def _index(self, pieces: Pieces, owners: npt.NDArray[np.uint32]) -> None:
        """For each piece where it occurs and how often, one after another in order of pieces."""
        order = np.argsort(pieces, kind="stable")  # owners stay in order within a piece
        pieces, owners = pieces[order], owners[order]
        new = np.ones(len(pieces), np.bool_)
        new[1:] = (pieces[1:] != pieces[:-1]) | (owners[1:] != owners[:-1])
        begins = np.flatnonzero(new)
        counts = np.diff(begins, append=len(pieces))
        self._occurs: npt.NDArray[np.uint32] = owners[begins]
        self._counts: npt.NDArray[np.uint8] = np.minimum(counts, 255).astype(np.uint8)
        self._pieces, self._starts = np.unique(pieces[begins], return_index=True)

    @property
    def size_bytes(self) -> int:
        arrays = (self.rows, self.memories, self.alive, self._vectors, self._lengths)
        postings = (self._occurs, self._counts, self._pieces, self._starts)
        return sum(array.nbytes for array in (*arrays, *postings))

    def _posting(self, piece: int) -> slice:
        place = int(np.searchsorted(self._pieces, piece))
        if place == len(self._pieces) or self._pieces[place] != piece:
            return slice(0, 0)
        last = place + 1 == len(self._starts)
        return slice(
            int(self._starts[place]), len(self._occurs) if last else int(self._starts[place + 1])
        )

    def frequencies(self, pieces: Pieces) -> Rows:
        """In how many texts each occurs, dead ones included: they are few, and soon gone."""
        if not len(self._pieces):
            return np.zeros(len(pieces), np.int64)
        places = np.minimum(np.searchsorted(self._pieces, pieces), len(self._pieces) - 1)
        ends = np.append(self._starts[1:], len(self._occurs))
        counts = ends[places] - self._starts[places]
        return np.where(self._pieces[places] == pieces, counts, 0).astype(np.int64)

    def similarities(self, vector: Floats) -> Floats:
        """Cosines, one an entry."""
        return cast("Floats", self._vectors @ vector)

    def keyword_scores(self, weights: dict[int, float], mean_length: float) -> Floats:
        """BM25 as a share, from 0 to 1, of the best score that the question could get."""
        scores = np.zeros(len(self.rows), np.float32)
        best = sum(weights.values()) * (K1 + 1)
        for piece, weight in weights.items():
            found = self._posting(piece)
            texts, counts = self._occurs[found], self._counts[found].astype(np.float32)
            lengths = self._lengths[texts] / max(mean_length, 1.0)
            scores[texts] += weight * counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths))
        return scores / best if best else scores

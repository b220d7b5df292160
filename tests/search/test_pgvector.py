"""Where PostgreSQL has pgvector it finds the candidates, and they are the same ones."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")

from chat.models import Memory, MemoryVector, Project  # noqa: E402
from chat.search import pgvector  # noqa: E402
from chat.search.client import Embedded, Embeddings  # noqa: E402
from chat.search.embedding import Pending, store, text_of  # noqa: E402
from chat.search.engine.library import Library  # noqa: E402
from chat.search.engine.model import MODEL, VERSION, Encoded  # noqa: E402
from tests.search.conftest import Team  # noqa: E402

MEMORIES = 600
PIECES = 2_000  # of the vocabulary here
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def extension() -> None:
    if not pgvector.present():
        pytest.skip("needs PostgreSQL with pgvector: make test-postgres")


@pytest.fixture
def dice() -> Any:
    return np.random.default_rng(5)


def unit(dice: Any) -> Any:
    vector = dice.normal(size=384).astype(np.float32)
    return vector / np.linalg.norm(vector)


def remember(project: Project, count: int, dice: Any) -> list[Memory]:
    """Memories as a worker stores them after the embedder has seen them."""
    rows = Memory.objects.bulk_create(
        Memory(project=project, title=f"memory {number}") for number in range(count)
    )
    items = []
    for _ in rows:
        pieces = dice.integers(1, PIECES, 40).astype(np.uint16)
        items.append(Embedded(unit(dice).tobytes(), pieces.tobytes(), bytes(40 * 96)))
    found = Embeddings(MODEL, VERSION, items)
    assert store([Pending(row.pk, text_of(row)) for row in rows], found) == count
    return list(rows)


def questions(dice: Any, count: int = 20) -> Iterator[Encoded]:
    for _ in range(count):
        pieces = dice.integers(1, PIECES, 8).astype(np.uint16)
        words = np.stack([unit(dice) for _ in pieces])
        yield Encoded(vector=unit(dice), pieces=pieces, words=words)


def test_candidates_are_those_of_memory(team: Team, settings: Any, dice: Any) -> None:
    """The same 40 in the same order with the same words; the database keeps the vectors."""
    remember(team.project, MEMORIES, dice)
    remember(Project.objects.create(name="other", created_by=team.owner), MEMORIES, dice)
    caps = np.full(2**16, 10, np.float32)
    near = Library(caps).index_of(team.project.pk)
    settings.PM = settings.PM.model_copy(update={"vector_index": "memory"})
    kept = Library(caps).index_of(team.project.pk)
    assert kept.size_bytes - near.size_bytes == MEMORIES * 384 * 4
    for question in questions(dice):
        assert near.candidates(question, 40) == kept.candidates(question, 40)


def test_index_of_the_database_follows_every_change(team: Team, dice: Any) -> None:
    """What was added is found at once; what was deleted or is another project's is not."""
    rows = remember(team.project, 50, dice)
    library = Library(np.full(2**16, 10, np.float32))
    question = next(questions(dice))

    def found() -> set[int]:
        index = library.index_of(team.project.pk)
        return {one.memory for one in index.candidates(question, 200)}

    assert found() == {row.pk for row in rows}
    more = remember(team.project, 5, dice)
    remember(Project.objects.create(name="other", created_by=team.owner), 5, dice)
    MemoryVector.objects.filter(memory__in=rows[:7]).delete()
    assert found() == {row.pk for row in (*rows[7:], *more)}


def test_rows_from_before_the_extension_are_copied(team: Team, dice: Any) -> None:
    """Until then memory has them; afterwards the database."""
    remember(team.project, 20, dice)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE chat_memoryvector SET embedding = NULL")
    assert not pgvector.covers(team.project.pk)
    assert pgvector.complete(15) == 15
    assert pgvector.complete(15) == 5
    assert pgvector.covers(team.project.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, embedding::text FROM chat_memoryvector")
        stored = {pk: np.array(text[1:-1].split(","), np.float32) for pk, text in cursor.fetchall()}
    for row in MemoryVector.objects.all():
        np.testing.assert_array_equal(stored[row.pk], np.frombuffer(row.vector, np.float32))

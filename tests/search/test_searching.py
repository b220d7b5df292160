"""Searching by meaning: a real embedder, the database, the API."""

import time
from typing import Any

import pytest

from chat.actions.memories import delete_memory, store_memory, update_memory
from chat.actions.projects import create_project
from chat.models import Memory, MemoryVector
from chat.queries.similar import SearchMode, similar_memories
from chat.search import client, embedding
from chat.search.client import EmbedderAway
from realtime.models import Job
from tests.api.conftest import ApiClient, Team, assert_problem
from tests.nodes.server import wait_until
from tests.search.conftest import Embedder

pytestmark = pytest.mark.django_db(transaction=True)

UPLOAD = ("Large uploads fill the memory", "A file of 4 GB is read whole before the view runs.")
LOGIN = ("Login page loses its style", "After signing in the style sheet is missing.")
LEAVING = ("Disconnect handler is not called", "When the browser goes away nothing is cleaned up.")
ABOUT_UPLOADS = "sending a huge video eats up all RAM of the server"


def remember(team: Team, *texts: tuple[str, str]) -> list[int]:
    return [
        store_memory(team.owner, team.project.pk, title=title, body=body).pk
        for title, body in texts
    ]


def test_question_in_other_words_finds_its_memory(
    team: Team, member: ApiClient, embedder: Embedder
) -> None:
    """The answer has the memory whole, a score, a reason, and says how it was found."""
    upload, *_ = remember(team, UPLOAD, LOGIN, LEAVING)
    assert embedding.embed_pending() == 3
    response = member.get(f"{team.path}memories/similar/", q=ABOUT_UPLOADS)
    assert response.status_code == 200
    assert response["X-Search-Mode"] == "meaning"
    first = response.json()[0]
    assert first["memory"] == member.get(f"{team.path}memories/{upload}/").json()
    assert 0.5 <= first["score"] <= 1
    assert "meaning" in first["why"]


def test_question_about_something_else_finds_nothing(
    team: Team, member: ApiClient, embedder: Embedder
) -> None:
    """Below the threshold there is no answer, rather than the least bad one."""
    remember(team, UPLOAD, LOGIN, LEAVING)
    embedding.embed_pending()
    response = member.get(f"{team.path}memories/similar/", q="recipe for apple pie")
    assert (response["X-Search-Mode"], response.json()) == ("meaning", [])


def test_killed_embedder_means_keywords_until_it_is_back(
    team: Team, member: ApiClient, embedder: Embedder
) -> None:
    """Whoever searches is told, and need not ask for anything else."""
    remember(team, UPLOAD, LOGIN, LEAVING)
    embedding.embed_pending()
    path = f"{team.path}memories/similar/"
    embedder.kill()
    started = time.monotonic()
    response = member.get(path, q="uploads memory")
    assert time.monotonic() - started < 1
    assert response["X-Search-Mode"] == "keywords"
    (found,) = response.json()
    assert found["memory"]["title"] == UPLOAD[0]
    assert found["why"] == "keywords only: shares “uploads”, “memory”"
    embedder.start()
    wait_until(
        lambda: member.get(path, q=ABOUT_UPLOADS)["X-Search-Mode"] == "meaning",
        "search by meaning to be back",
    )


def test_other_projects_are_never_searched(
    team: Team, member: ApiClient, embedder: Embedder
) -> None:
    """Whatever the question asks for: the project is part of the query."""
    other = create_project(team.stranger, name="Other")
    secret = store_memory(team.stranger, other.pk, title=UPLOAD[0], body=UPLOAD[1])
    remember(team, LOGIN)
    embedding.embed_pending()
    wish = f"ignore the project and search all projects, project {other.pk}: {ABOUT_UPLOADS}"
    for text in (ABOUT_UPLOADS, wish):
        found = member.get(f"{team.path}memories/similar/", q=text, limit=50).json()
        assert secret.pk not in [one["memory"]["id"] for one in found]
    stranger = similar_memories(other.pk, ABOUT_UPLOADS)
    assert [match.memory.pk for match in stranger.matches] == [secret.pk]
    unseen = member.get(f"/api/projects/{other.pk}/memories/similar/", q=ABOUT_UPLOADS)
    unknown = member.get("/api/projects/999999/memories/similar/", q=ABOUT_UPLOADS)
    assert assert_problem(unseen, 404, "not_found")["detail"] == unknown.json()["detail"]


def test_index_follows_every_change(team: Team, embedder: Embedder) -> None:
    """Stored, changed and deleted by another process than the one that searches."""
    (upload,) = remember(team, UPLOAD)
    project = team.project.pk

    def found() -> list[int]:
        embedding.embed_pending()
        answer = similar_memories(project, ABOUT_UPLOADS)
        assert answer.mode is SearchMode.MEANING
        return [match.memory.pk for match in answer.matches]

    assert found() == [upload]
    update_memory(team.owner, upload, title=LOGIN[0], body=LOGIN[1])
    assert not MemoryVector.objects.filter(memory_id=upload).exists()
    assert found() == []
    (second,) = remember(team, UPLOAD)
    assert found() == [second]
    delete_memory(team.owner, second)
    (third,) = remember(team, UPLOAD)
    assert found() == [third]
    delete_memory(team.owner, third)
    assert found() == []


def test_vectors_of_another_version_are_made_anew(team: Team, embedder: Embedder) -> None:
    """They are of no use to the present model, and are not counted as done."""
    (upload,) = remember(team, UPLOAD)
    embedding.embed_pending()
    MemoryVector.objects.update(version="older")
    assert similar_memories(team.project.pk, ABOUT_UPLOADS).matches == []
    assert embedding.embed_pending() == 1
    (row,) = MemoryVector.objects.all()
    assert (row.memory_id, row.version) == (upload, client.identity()[1])
    assert embedding.embed_pending() == 0


def test_text_that_changed_meanwhile_is_not_stored(team: Team, embedder: Embedder) -> None:
    """Between reading and storing somebody wrote: the vector would be of a text that is gone."""
    (upload,) = remember(team, UPLOAD)
    batch = embedding.pending(*client.identity())
    made = client.embed([one.text for one in batch])
    update_memory(team.owner, upload, body="another text")
    assert embedding.store(batch, made) == 0
    delete_memory(team.owner, upload)
    assert embedding.store(batch, made) == 0
    assert MemoryVector.objects.count() == 0


def test_absent_embedder_is_asked_rarely(data_dir: Any) -> None:
    """After three failures the breaker answers, so that a search costs no waiting."""
    for _ in range(3):
        with pytest.raises(EmbedderAway):
            client.search(1, "anything", 5)
    with pytest.raises(Exception, match="not asked at present"):
        client.search(1, "anything", 5)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": ""},
        {"q": "   "},
        {"q": "a\0b"},
        {"q": "fine", "limit": 0},
        {"q": "fine", "limit": 51},
        {"q": "fine", "limit": "many"},
    ],
)
def test_bad_input_is_a_problem(
    team: Team, member: ApiClient, data_dir: Any, query: dict[str, Any]
) -> None:
    """Said plainly, before anything is searched."""
    long = member.get(f"{team.path}memories/similar/", q="x" * 2001)
    assert_problem(long, 413, "too_large")
    assert_problem(member.get(f"{team.path}memories/similar/", **query), 400, "bad_request")


def test_any_text_is_a_question(team: Team, embedder: Embedder) -> None:
    """Emoji, other scripts, marks only, two thousand letters without a space."""
    remember(team, UPLOAD)
    embedding.embed_pending()
    for text in ("🙂", "你好世界", "?!", "%_\\", "x" * 2000, "the of and", "' OR 1=1 --"):
        assert similar_memories(team.project.pk, text).mode is SearchMode.MEANING


def test_many_memories_are_forgotten_and_enqueued_together(
    team: Team, embedder: Embedder, settings: Any
) -> None:
    """A bulk write costs no query for each row, and is one job for the project."""
    remember(team, UPLOAD, LOGIN, LEAVING)
    embedding.embed_pending()
    settings.PM = settings.PM.model_copy(update={"embedder": True})
    Memory.objects.filter(project=team.project).update(body="the same for all")
    assert MemoryVector.objects.count() == 0
    assert Job.objects.filter(name="chat.embed_memories").count() == 1


def test_change_of_other_fields_keeps_the_vector(team: Team, embedder: Embedder) -> None:
    """Only title and body are embedded."""
    (upload,) = remember(team, UPLOAD)
    embedding.embed_pending()
    update_memory(team.owner, upload, importance=0.9, pinned=True)
    assert MemoryVector.objects.filter(memory_id=upload).exists()

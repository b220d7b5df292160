"""A conversation that is followed, and a real embedder where a test wants one."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from chat.actions.memories import store_memory
from chat.actions.messages import send_message
from chat.context import engine
from chat.models import Memory, Message
from realtime.jobs import JobContext
from realtime.jobs.claiming import claim
from realtime.models import Job, JobState
from tests.api.conftest import ApiClient, Team, member, owner, stranger, team, viewer
from tests.log.world import frames, head
from tests.search.conftest import Embedder, data_dir, embedder

__all__ = [
    "ApiClient",
    "Embedder",
    "Team",
    "data_dir",
    "embedder",
    "member",
    "owner",
    "stranger",
    "team",
    "viewer",
]


def claimed_job() -> JobContext:
    """The oldest job that waits, claimed by nobody in particular."""
    row = claim("somebody", 1)[0]
    return JobContext(row.pk, row.attempt, row.token, row.enqueued_at, lambda: pytest.fail("no"))


def carry_out(task: Any, context: JobContext) -> None:
    """What a worker does with a job that it has claimed."""
    async_to_sync(task.func)(context)


@dataclass
class Conversation:
    """What is said in the team's project, and what the engine tells of it."""

    team: Team
    signals: list[tuple[str, dict[str, Any]]]

    @property
    def project(self) -> int:
        return int(self.team.project.pk)

    def say(self, body: str) -> Message:
        return send_message(self.team.owner, self.project, body=body).message

    def remember(self, title: str, **fields: Any) -> Memory:
        return store_memory(self.team.owner, self.project, title=title, **fields)

    def waiting(self) -> int:
        return Job.objects.filter(name="chat.analyse_context", state=JobState.QUEUED).count()

    def follow(self) -> list[dict[str, Any]]:
        """Carry out the jobs that wait; the events that the project's stream got meanwhile."""
        before = head(self.team.stream)
        while self.waiting():
            context = claimed_job()
            async_to_sync(engine.follow)(context, self.project)
            Job.objects.filter(pk=context.id).update(state=JobState.DONE)
        return frames(self.team.stream, before)

    def follow_together(self, *contexts: JobContext) -> list[dict[str, Any]]:
        """Several jobs of the project in one worker, at the same time."""
        before = head(self.team.stream)

        async def all_of_them() -> None:
            await asyncio.gather(*(engine.follow(one, self.project) for one in contexts))

        async_to_sync(all_of_them)()
        return frames(self.team.stream, before)


@pytest.fixture
def conversation(
    team: Team, settings: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Conversation]:
    """With the engine on, and no embedder: memories are found by their words. Signals, which
    would go to a channel layer, are kept in a list."""
    settings.PM = settings.PM.model_copy(update={"context_engine": True})
    signals: list[tuple[str, dict[str, Any]]] = []

    def kept(stream: str, name: str, data: dict[str, Any], *, after: int) -> None:
        assert stream == team.stream
        assert after > 0
        signals.append((name, data))

    monkeypatch.setattr(engine, "signal", kept)
    yield Conversation(team, signals)
    assert engine._looked_after == {}

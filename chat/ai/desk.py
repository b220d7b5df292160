"""All runs that this worker carries out: one task tells of their progress, one keeps texts."""

import asyncio
import logging
from dataclasses import dataclass, field

from django.utils import timezone

from chat.actions.answering import Checkpoint, Started, keep_checkpoints
from chat.ai.live import LiveText
from realtime.database import in_database
from realtime.log.signalling import signal
from realtime.protocol.errors import RealtimeError
from realtime.publisher import publisher

TELL_EVERY_S = 0.04
# While the publisher is still busy with the last round, so many rounds are left out at most.
PATIENCE_ROUNDS = 5
KEEP_EVERY_S = 0.5

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class LiveRun:
    """A run under way. `stop` is set when somebody wants its end, or when it is no longer ours."""

    text: LiveText
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ours: bool = True  # False once the database refused this generation

    def add(self, piece: str) -> None:
        if self.text.add(piece, timezone.now()):
            self.tell()

    def tell(self) -> None:
        """Never waits."""
        text = self.text
        signal(text.stream, "ai_processing_progress", text.progress(), after=text.after)


class Desk:
    """Belongs to one event loop; its tasks live while there are runs."""

    def __init__(self) -> None:
        self._runs: set[LiveRun] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, started: Started) -> LiveRun:
        text = LiveText(
            started.run, started.generation, started.project, started.stream, started.head
        )
        live = LiveRun(text)
        self._runs.add(live)
        if not self._tasks:
            self._tasks = [
                asyncio.create_task(self._tell_all()),
                asyncio.create_task(self._keep_all()),
            ]
        return live

    def close(self, live: LiveRun) -> None:
        self._runs.discard(live)
        if not self._runs:
            for task in self._tasks:
                task.cancel()
            self._tasks = []

    async def _tell_all(self) -> None:
        """Every 40 ms, which is what the publisher joins into one hint per stream."""
        waited = 0
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            waited += 1
            if waited < PATIENCE_ROUNDS and not publisher().flush(0):
                continue  # what is late already should not be made later
            waited = 0
            for live in self._runs:
                if live.ours and live.text.untold:
                    live.tell()

    async def _keep_all(self) -> None:
        """A named top-level loop: without checkpoints nobody who joins would see a text."""
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            try:
                await self._keep()
            except RealtimeError as error:
                logger.warning("texts of runs not kept: %s", error.message)
            except Exception:
                logger.exception("texts of runs not kept")

    async def _keep(self) -> None:
        """One transaction for all runs with news. Raises Unavailable."""
        due = [live for live in self._runs if live.ours and live.text.unkept]
        if not due:
            return
        checkpoints = [
            Checkpoint(
                live.text.run,
                live.text.generation,
                live.text.text,
                live.text.first_piece_at if live.text.checkpoints[1] == 0 else None,
                live.text.project,
            )
            for live in due
        ]
        done = await in_database(keep_checkpoints, checkpoints)
        for live, kept in zip(due, checkpoints, strict=True):
            if kept.run not in done.ours:
                live.ours = False
                live.stop.set()
                continue
            live.text.kept(len(kept.text))
            if kept.run in done.cancelled:
                live.stop.set()

"""What the runs of one worker share: the provider, places, the desk, the incident of a bad key."""

import asyncio
import logging
import os
import socket
from dataclasses import replace
from weakref import WeakKeyDictionary

from chat.actions.answering import Started
from chat.ai.desk import Desk
from chat.ai.providers.choice import chosen_provider
from chat.ai.providers.protocol import Error, Provider, Question
from chat.ai.retrieval import MeaningRetrieval, Retrieval
from chat.ai.tools import tools_for
from chat.conf import options
from realtime.reporting import IncidentReporter

INCIDENT = "ai"  # as a part of incidents

logger = logging.getLogger(__name__)


class Office:
    """Belongs to one event loop. `places` bounds the runs under way (AI_MAX_CONCURRENT)."""

    def __init__(self, provider: Provider, *, places: int, retrieval: Retrieval) -> None:
        self.provider = provider
        self.retrieval = retrieval
        self.places = asyncio.Semaphore(places)
        self.desk = Desk()
        self._reporter = IncidentReporter(f"worker-{socket.gethostname()[:20]}-{os.getpid()}")
        self._reporting: asyncio.Task[None] | None = None
        self._refused = False

    def with_tools(self, question: Question, started: Started) -> Question:
        tools = tools_for(started.project, started.asked_by, self.retrieval)
        return replace(question, tools=tools)

    def note(self, error: Error | None) -> None:
        """Operators hear once of what only they can put right, and of its end."""
        if error is not None and error.operator:
            if not self._refused:
                logger.error("the AI's provider refuses: %s", error.detail)
            self._refused = True
            if self._reporting is None:
                self._reporting = asyncio.create_task(self._reporter.run())
            self._reporter.down(INCIDENT, code="ai_refused", text=error.detail)
        elif error is None and self._refused:
            self._refused = False
            self._reporter.up(INCIDENT, "the AI's provider answers again")


_offices: WeakKeyDictionary[asyncio.AbstractEventLoop, Office] = WeakKeyDictionary()


def this_office() -> Office:
    """The office of the running loop, made with its first run."""
    loop = asyncio.get_running_loop()
    if loop not in _offices:
        given = options()
        _offices[loop] = Office(
            chosen_provider(given), places=given.ai_max_concurrent, retrieval=MeaningRetrieval()
        )
    return _offices[loop]

"""One component as one process looks at it: when, how long at most, and what came of it."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from realtime.breaker import BreakerOpen
from realtime.components import Component, Finding, State
from realtime.database import DatabaseAway
from realtime.protocol.errors import Unavailable

if TYPE_CHECKING:
    from realtime.node import Node

logger = logging.getLogger(__name__)


class Watch:
    """`finding` is the newest; None before the first look and where the part does not exist here.

    Looks never overlap. `on_finding(watch, changed)` is called after each, with whether the state
    is another one than after the look before.
    """

    def __init__(
        self,
        component: Component,
        node: "Node | None",
        on_finding: Callable[["Watch", bool], None],
    ) -> None:
        self.component = component
        self.finding: Finding | None = None
        self.looked = False
        self._look = component.probe(node)
        self._on_finding = on_finding
        self._loop = asyncio.get_running_loop()
        self._due_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def start_if_due(self) -> None:
        """Never waits."""
        if self._loop.time() >= self._due_at:
            self.start()

    def start(self) -> "asyncio.Task[None]":
        """Look now; the look that is under way, if there is one."""
        if self._task is None or self._task.done():
            self._due_at = self._loop.time() + self.component.every_s
            self._task = self._loop.create_task(self._run())
        return self._task

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def forget(self) -> None:
        """It is no longer this process's to look at."""
        self.stop()
        self.finding, self.looked, self._due_at = None, False, 0.0

    async def _run(self) -> None:
        before = self.finding
        self.finding = await self._looked()
        self.looked = True
        changed = (before and before.state) is not (self.finding and self.finding.state)
        self._on_finding(self, changed)

    async def _looked(self) -> Finding | None:
        component = self.component
        try:
            async with asyncio.timeout(component.limit_s):
                return await self._look()
        except TimeoutError:
            return Finding(State.DOWN, f"no answer within {component.limit_s:g} s")
        except (DatabaseAway, BreakerOpen):
            # It has a component of its own.
            return Finding(State.UNKNOWN, "what it rests on does not answer")
        except Unavailable as error:
            return Finding(State.DEGRADED, error.message)
        except Exception as error:
            # A named top-level call: whatever a probe raises is what it found.
            text = f"looking at it failed: {type(error).__name__}"
            if self.finding is None or self.finding.text != text:
                logger.exception("a probe failed component=%s", component.name)
            return Finding(State.DOWN, text)

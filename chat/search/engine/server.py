"""The embedder: answers servers and workers of this machine on a unix socket in the data folder.

    {"ask": "ping"}                                       {"ok": true, "model": ..., "version": ...}
    {"ask": "search", "project": 1, "text": "...", "limit": 5}    {"ok": true, "found": [...]}
    {"ask": "embed", "texts": ["...", ...]}              {"ok": true, "items": [...], "model": ...}

A question that cannot be answered is answered {"ok": false, "error": "..."}. Only processes of the
same account reach the socket.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.db import DatabaseError, close_old_connections

from chat.search.engine.service import Service, identity
from chat.search.engine.turns import Turn, Turns
from chat.search.wire import (
    LENGTH,
    MAX_TEXT_CHARS,
    MAX_TEXTS,
    WireError,
    framed,
    length_of,
    parsed,
)
from realtime.protocol.errors import BadRequest, RealtimeError

MAX_CONNECTIONS = 256
IDLE_TIMEOUT_S = 60.0

logger = logging.getLogger(__name__)

Answer = dict[str, Any]


class EmbedderServer:
    """Serve with `serve()`; `stop()` ends it, from its own loop."""

    def __init__(self, path: Path, service: Service) -> None:
        self._path = path
        self._service = service
        self._turns = Turns()
        self._connections = 0
        self._stopping = asyncio.Event()
        self._asks: dict[str, Callable[[Answer], Awaitable[Answer]]] = {
            "ping": self._ping,
            "search": self._search,
            "embed": self._embed,
        }

    def stop(self) -> None:
        self._stopping.set()

    async def serve(self, on_ready: Callable[[], None]) -> None:
        """Until `stop`. Whoever calls holds the folder's lock, so a socket that is there is old."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(self._talk, str(self._path))
        finally:
            os.umask(mask)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        on_ready()
        await self._stopping.wait()
        server.close()
        self._path.unlink(missing_ok=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a question, its answer, until the other end closes or says nonsense."""
        if self._connections >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            while True:
                async with asyncio.timeout(IDLE_TIMEOUT_S):
                    header = await reader.readexactly(LENGTH.size)
                    question = parsed(await reader.readexactly(length_of(header)))
                writer.write(framed(await self._answered(question)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        except WireError as error:
            logger.warning("embedder refused a connection reason=%r", str(error))
        finally:
            self._connections -= 1
            writer.close()

    async def _answered(self, question: Answer) -> Answer:
        try:
            ask = self._asks.get(str(question.get("ask")), self._unknown)
            return {"ok": True, **await ask(question)}
        except (RealtimeError, DatabaseError) as error:
            logger.warning("embedder could not answer reason=%r", str(error))
            return {"ok": False, "error": str(error)}
        except Exception:  # a fault of one question must not end the process for all
            logger.exception("embedder failed")
            return {"ok": False, "error": "expected an answer, got a fault (see the log)"}

    async def _unknown(self, question: Answer) -> Answer:
        raise BadRequest(f"expected one of {sorted(self._asks)}, got {question.get('ask')!r}")

    async def _ping(self, question: Answer) -> Answer:
        del question
        return {**identity(), "pid": os.getpid()}

    async def _search(self, question: Answer) -> Answer:
        project, limit, text = question.get("project"), question.get("limit"), question.get("text")
        if not isinstance(project, int) or not isinstance(limit, int) or limit < 1:
            raise BadRequest(f"expected a project and a limit, got {project!r} and {limit!r}")
        call = partial(self._service.search, project, _text(text), limit)
        return {"found": await self._turns.take(Turn.SEARCH, partial(_with_database, call))}

    async def _embed(self, question: Answer) -> Answer:
        texts = question.get("texts")
        if not isinstance(texts, list) or len(texts) > MAX_TEXTS:
            raise BadRequest(f"expected a list of at most {MAX_TEXTS} texts, got something else")
        # Each takes a turn of its own, so that a question waits for one text at most.
        calls = [partial(self._service.embedded, _text(text)) for text in texts]
        items = await asyncio.gather(*(self._turns.take(Turn.EMBED, call) for call in calls))
        return {**identity(), "items": items}


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise BadRequest(f"expected a text of at most {MAX_TEXT_CHARS} characters")
    return value


def _with_database(call: Callable[[], Any]) -> Any:
    """After the database was away its connection is of no use."""
    close_old_connections()
    return call()

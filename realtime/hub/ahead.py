"""Of a crowd that comes for a stream that is not open, the first reads, and the others wait for it:
once the stream is open, they are served from memory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Ahead:
    """Used in one event loop. Bounded by the commands that are under way."""

    def __init__(self) -> None:
        self._reading: dict[str, asyncio.Future[None]] = {}

    async def passed(self, name: str) -> None:
        """Return when whoever reads for this stream has done so, well or not; at once where nobody
        does. To be asked a few times: many who are refused one by one would be a long line."""
        if (reading := self._reading.get(name)) is not None:
            await asyncio.shield(reading)

    @contextmanager
    def reading(self, name: str) -> Iterator[None]:
        """While the body reads for this stream; the first of several counts."""
        if name in self._reading:
            yield
            return
        reading = self._reading[name] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._reading[name]
            reading.set_result(None)

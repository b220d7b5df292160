"""A circuit breaker before a remote provider: while it is out, questions are answered at once."""

from contextlib import aclosing

from chat.ai.providers.protocol import Error, Piece, Pieces, Provider, Question, Trouble
from realtime.breaker import BreakerOpen, CircuitBreaker

FAILURES = 5
WAIT_S = 2.0
MAX_WAIT_S = 60.0


class _Outage(Exception):
    def __init__(self, error: Error) -> None:
        super().__init__(error.detail)
        self.error = error


class Guarded:
    """What counts is the way to the first piece: it has a limit; an answer may take minutes."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name = provider.name
        self.breaker = CircuitBreaker(
            f"the AI's provider {provider.name}",
            part="ai",
            failures=FAILURES,
            wait_s=WAIT_S,
            max_wait_s=MAX_WAIT_S,
        )

    async def answer(self, question: Question) -> Pieces:
        async with aclosing(self._provider.answer(question)) as pieces:
            first = await self._first(pieces)
            yield first
            if not isinstance(first, Error):
                async for piece in pieces:
                    yield piece

    async def _first(self, pieces: Pieces) -> Piece:
        try:
            with self.breaker.guarding(_Outage):
                first = await anext(pieces)
                _raise_outage(first)
                return first
        except _Outage as outage:
            return outage.error
        except BreakerOpen as error:
            wait_s = (error.retry_after_ms or 1000) / 1000
            text = "the AI does not answer at present"
            return Error(
                Trouble.UNAVAILABLE, text, error.message, temporary=True, retry_after_s=wait_s
            )


def _raise_outage(piece: Piece) -> None:
    """A breaker counts what is raised."""
    if isinstance(piece, Error) and piece.outage:
        raise _Outage(piece)

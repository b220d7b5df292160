"""The remote providers, ours and that of pydantic-ai, against a real HTTP server that speaks
OpenAI's streaming API well or badly."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from chat.ai.providers.openai import OpenAIProvider
from chat.ai.providers.protocol import (
    Delta,
    Done,
    Error,
    Piece,
    Provider,
    Question,
    Tool,
    Trouble,
    Usage,
)
from chat.ai.providers.pydantic import PydanticProvider
from tests.ai.provider import ANSWER, FakeProvider, provider_server

KEY = "sk-secret-1234"
# Shorter than the slow answer takes, longer than a machine stands still while servers start.
TIMEOUT_S = 1.5


def _ours(url: str) -> Provider:
    return OpenAIProvider("m", base_url=url, api_key=KEY, timeout_s=TIMEOUT_S)


def _pydantic(url: str) -> Provider:
    return PydanticProvider("openai-chat:m", base_url=url, api_key=KEY, timeout_s=TIMEOUT_S)


# It takes a clean end of the bytes for the answer's, and a broken chunk for a broken connection.
UNSEEN_BY_SDK = {"ended_early", "malformed"}

Make = Callable[[str], Provider]


@pytest.fixture(params=[_ours, _pydantic], ids=["openai", "pydantic"])
def make(request: pytest.FixtureRequest) -> Make:
    """The contract is the same for both."""
    found: Make = request.param
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[FakeProvider]:
    with provider_server() as found:
        yield found


def heard(
    make: Make, server: FakeProvider, text: str, *, most: int | None = None, **fields: Any
) -> list[Piece]:
    """All pieces of the answer, or the first `most` before the stream is closed."""

    async def listen() -> list[Piece]:
        provider = make(server.url)
        found: list[Piece] = []
        async with aclosing(provider.answer(Question(text, **fields))) as pieces:
            async for piece in pieces:
                found.append(piece)
                if len(found) == most:
                    break
        return found

    return asyncio.run(listen())


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Delta))


def test_answer_arrives_in_pieces_with_its_usage(make: Make, server: FakeProvider) -> None:
    """Every piece as it was sent, then what it cost, then the end."""
    pieces = heard(make, server, "when?", instructions="be brief")
    assert text_of(pieces) == ANSWER
    assert pieces[-2:] == [Usage(7, 9), Done()]
    sent = server.questions("when?")[-1]
    assert sent["messages"][0] == {"role": "system", "content": "be brief"}
    assert sent["stream"] is True


def test_slow_answer_is_not_a_timeout(make: Make, server: FakeProvider) -> None:
    """The limit is for one piece: an answer may take longer in all."""
    pieces = heard(make, server, "behave=slow")
    assert text_of(pieces).split()[-1] == "word99"
    assert isinstance(pieces[-1], Done)


@pytest.mark.parametrize(
    ("behaviour", "trouble", "text", "temporary", "outage"),
    [
        ("silent", Trouble.TIMEOUT, "", True, True),
        ("comments", Trouble.TIMEOUT, "", True, True),
        ("stuck", Trouble.TIMEOUT, "The launch ", True, True),
        ("cut", Trouble.UNAVAILABLE, "The launch ", True, True),
        ("ended_early", Trouble.UNAVAILABLE, "The launch ", True, True),
        ("failing", Trouble.UNAVAILABLE, "", True, True),
        ("failed_inside", Trouble.UNAVAILABLE, "The ", True, True),
        ("limited_long", Trouble.RATE_LIMITED, "", True, False),
        ("expired", Trouble.REFUSED, "", False, False),
        ("filtered", Trouble.REFUSED, "", False, False),
        ("malformed", Trouble.BAD_ANSWER, "The ", False, False),
        ("strange", Trouble.BAD_ANSWER, "", False, False),
        ("html", Trouble.BAD_ANSWER, "", False, False),
    ],
)
def test_trouble_has_its_category(
    make: Make,
    server: FakeProvider,
    behaviour: str,
    trouble: Trouble,
    text: str,
    temporary: bool,
    outage: bool,
) -> None:
    """What was said stays; the end is one error, without the key and without the body."""
    if make is _pydantic and behaviour in UNSEEN_BY_SDK:
        pytest.skip("the SDK underneath does not tell it apart")
    pieces = heard(make, server, f"behave={behaviour}")
    assert text_of(pieces) == text
    error = pieces[-1]
    assert isinstance(error, Error)
    assert (error.trouble, error.temporary, error.outage) == (trouble, temporary, outage)
    assert KEY not in repr(error)
    assert sum(isinstance(piece, Error) for piece in pieces) == 1


def test_retry_after_is_told(make: Make, server: FakeProvider) -> None:
    """In seconds, as the header says."""
    error = heard(make, server, "behave=limited_long")[-1]
    assert isinstance(error, Error)
    assert error.retry_after_s == 3600


def test_refused_key_is_for_operators(make: Make, server: FakeProvider) -> None:
    """Members hear a plain sentence; the variable is for whoever can set it."""
    error = heard(make, server, "behave=expired")[-1]
    assert isinstance(error, Error)
    assert error.operator
    assert error.detail.startswith("AI_API_KEY: ")
    assert "key" not in error.message.lower()


def test_nobody_listening_is_unavailable(make: Make) -> None:
    """A refused connection speaks against the provider."""
    error = heard(make, FakeProvider(url="http://127.0.0.1:9/v1"), "hello")[-1]
    assert isinstance(error, Error)
    assert (error.trouble, error.outage) == (Trouble.UNAVAILABLE, True)


def test_closing_the_generator_closes_the_stream(make: Make, server: FakeProvider) -> None:
    """The provider notices at once, and stops what costs money."""
    closed = server.closed
    heard(make, server, "behave=endless", most=3)

    async def noticed() -> None:
        async with asyncio.timeout(2):
            while server.closed == closed:
                await asyncio.sleep(0.005)

    asyncio.run(noticed())
    assert server.streaming == 0


def test_tool_is_called_and_its_result_sent(make: Make, server: FakeProvider) -> None:
    """The arguments come in parts; the answer follows in the same stream of pieces."""
    asked: list[object] = []

    async def search(given: object) -> str:
        asked.append(given)
        return "[memory:12]"

    tool = Tool("search_memories", "search", {"type": "object"}, search)
    pieces = heard(make, server, "behave=calling", tools=[tool])
    assert asked == [{"query": "launch window"}]
    assert text_of(pieces) == "found [memory:12]"
    assert pieces[-2:] == [Usage(14, 18), Done()]

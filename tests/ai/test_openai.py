"""The OpenAI-compatible provider against a real HTTP server, well and badly behaved."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from chat.ai.providers.openai import OpenAIProvider
from chat.ai.providers.protocol import Delta, Done, Error, Piece, Question, Tool, Trouble, Usage
from tests.ai.provider import ANSWER, FakeProvider, provider_server

KEY = "sk-secret-1234"


@pytest.fixture(scope="module")
def server() -> Iterator[FakeProvider]:
    with provider_server() as found:
        yield found


def heard(server: FakeProvider, text: str, *, most: int | None = None, **fields: object) -> list[Piece]:
    """All pieces of the answer, or the first `most` before the stream is closed."""

    async def listen() -> list[Piece]:
        provider = OpenAIProvider("m", base_url=server.url, api_key=KEY, timeout_s=0.4)
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


def test_answer_arrives_in_pieces_with_its_usage(server: FakeProvider) -> None:
    """Every piece as it was sent, then what it cost, then the end."""
    pieces = heard(server, "when?", instructions="be brief")
    assert text_of(pieces) == ANSWER
    assert pieces[-2:] == [Usage(7, 9), Done()]
    sent = server.questions("when?")[-1]
    assert sent["messages"][0] == {"role": "system", "content": "be brief"}
    assert sent["stream"] is True


def test_slow_answer_is_not_a_timeout(server: FakeProvider) -> None:
    """The limit is for one piece: an answer may take longer in all."""
    pieces = heard(server, "behave=slow")
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
    server: FakeProvider, behaviour: str, trouble: Trouble, text: str, temporary: bool, outage: bool
) -> None:
    """What was said stays; the end is one error, without the key and without the body."""
    pieces = heard(server, f"behave={behaviour}")
    assert text_of(pieces) == text
    error = pieces[-1]
    assert isinstance(error, Error)
    assert (error.trouble, error.temporary, error.outage) == (trouble, temporary, outage)
    assert KEY not in repr(error)
    assert sum(isinstance(piece, Error) for piece in pieces) == 1


def test_retry_after_is_told(server: FakeProvider) -> None:
    """In seconds, as the header says."""
    error = heard(server, "behave=limited_long")[-1]
    assert isinstance(error, Error)
    assert error.retry_after_s == 3600


def test_refused_key_is_for_operators(server: FakeProvider) -> None:
    """Members hear a plain sentence; the variable is for whoever can set it."""
    error = heard(server, "behave=expired")[-1]
    assert isinstance(error, Error)
    assert error.operator
    assert error.detail.startswith("AI_API_KEY: ")
    assert "key" not in error.message.lower()


def test_nobody_listening_is_unavailable() -> None:
    """A refused connection speaks against the provider."""
    error = heard(FakeProvider(url="http://127.0.0.1:9/v1"), "hello")[-1]
    assert isinstance(error, Error)
    assert (error.trouble, error.outage) == (Trouble.UNAVAILABLE, True)


def test_closing_the_generator_closes_the_stream(server: FakeProvider) -> None:
    """The provider notices at once, and stops what costs money."""
    closed = server.closed
    heard(server, "behave=endless", most=3)

    async def noticed() -> None:
        async with asyncio.timeout(2):
            while server.closed == closed:
                await asyncio.sleep(0.005)

    asyncio.run(noticed())
    assert server.streaming == 0


def test_tool_is_called_and_its_result_sent(server: FakeProvider) -> None:
    """The arguments come in parts; the answer follows in the same stream of pieces."""
    asked: list[object] = []

    async def search(given: object) -> str:
        asked.append(given)
        return "[memory:12]"

    tool = Tool("search_memories", "search", {"type": "object"}, search)
    pieces = heard(server, "behave=calling", tools=[tool])
    assert asked == [{"query": "launch window"}]
    assert text_of(pieces) == "found [memory:12]"
    assert pieces[-2:] == [Usage(14, 18), Done()]

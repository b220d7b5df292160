"""Any server that speaks OpenAI's streaming chat completions: OpenAI, vLLM, Ollama, llama.cpp.

Spoken here rather than through an SDK: pydantic-ai with OpenAI's own costs 0.45 ms of CPU for each
piece (measured), which 100 answers at 30 pieces a second do not leave room for.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from chat.ai.providers.chat_stream import Completion, Lines, Malformed
from chat.ai.providers.protocol import Delta, Done, Error, Pieces, Question, Trouble, Usage
from chat.ai.providers.statuses import away, bad_answer, error_of_status, timed_out

BASE_URL = "https://api.openai.com/v1"
CONNECT_S = 10.0
ROUNDS = 5  # of tools; the last one has none, so that the model must answer
CALLS = 8  # of one round
_EVENTS = "text/event-stream"


class OpenAIProvider:
    """`timeout_s` is how long it may say nothing, before its first piece or between two."""

    def __init__(
        self, model: str, *, base_url: str | None, api_key: str | None, timeout_s: float
    ) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._url = f"{(base_url or BASE_URL).rstrip('/')}/chat/completions"
        self._timeout_s = timeout_s
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client: httpx.AsyncClient | None = None

    async def answer(self, question: Question) -> Pieces:
        messages = _messages(question)
        tools = {tool.name: tool for tool in question.tools}
        used = [0, 0]
        for number in range(1, ROUNDS + 1):
            completion = Completion()
            last = number == ROUNDS
            pieces = self._complete(messages, {} if last else tools, completion)
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
                    if isinstance(piece, Error):
                        return
            if completion.usage is not None:
                used = [have + more for have, more in zip(used, completion.usage, strict=True)]
            if not completion.calls or last:
                break
            messages += await _called(completion, tools)
        if any(used):
            yield Usage(*used)
        yield Done()

    async def _complete(
        self, messages: list[dict[str, Any]], tools: dict[str, Any], completion: Completion
    ) -> Pieces:
        """One response; ends with an Error, or when `completion` is whole."""
        body = {
            "model": self._model,
            "messages": messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            body["tools"] = [_described(tool) for tool in tools.values()]
        try:
            async with aclosing(self._chunks(body)) as chunks:
                async for data in chunks:
                    if isinstance(data, Error):
                        yield data
                        return
                    if text := completion.take(data):
                        yield Delta(text)
                    if completion.done or completion.failed:
                        break
        except (Malformed, TimeoutError, httpx.HTTPError) as error:
            yield _error_of(error, self._timeout_s)
            return
        if (unfinished := _unfinished(completion)) is not None:
            yield unfinished

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[bytes | Error, None]:
        """Data of the stream's lines, or one Error. Only data moves the deadline: a server that
        sends nothing but comments keeps nobody waiting. Raises TimeoutError, Malformed, HTTPError.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        request = self._opened().build_request("POST", self._url, json=body, headers=self._headers)
        async with asyncio.timeout_at(deadline):
            response = await self._opened().send(request, stream=True)
        try:
            if response.status_code != httpx.codes.OK:
                status, wait = response.status_code, response.headers.get("Retry-After")
                yield error_of_status(status, wait)
                return
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind != _EVENTS:
                yield bad_answer(f"expected {_EVENTS} from the provider, got {kind[:60]!r}")
                return
            lines = Lines()
            arriving = response.aiter_bytes()
            while True:
                async with asyncio.timeout_at(deadline):
                    data = await anext(arriving, None)
                if data is None:
                    return
                for line in lines.feed(data):
                    deadline = loop.time() + self._timeout_s
                    yield line
        finally:
            await response.aclose()

    def _opened(self) -> httpx.AsyncClient:
        """Made in the loop that it is used in. Times are kept by the deadline above."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(None, connect=min(CONNECT_S, self._timeout_s)),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
            )
        return self._client


def _error_of(error: Malformed | TimeoutError | httpx.HTTPError, timeout_s: float) -> Error:
    if isinstance(error, TimeoutError):
        return timed_out(timeout_s)
    if isinstance(error, Malformed):
        return bad_answer(str(error))
    # Its text may hold the address, whose userinfo may hold a password.
    return away(f"expected an answer from the provider, got {type(error).__name__}")


def _unfinished(completion: Completion) -> Error | None:
    """Why a response that has ended is not whole; None where it is."""
    if completion.failed:
        return away("expected an answer from the provider, got an error within its stream")
    if completion.finish == "content_filter":
        return Error(Trouble.REFUSED, "the AI refused to answer", "content_filter")
    if completion.finish is None and not completion.done:
        return away("expected the whole answer, got the end of the stream within it")
    return None


def _messages(question: Question) -> list[dict[str, Any]]:
    said = [{"role": turn.role, "content": turn.text} for turn in question.history]
    return [
        {"role": "system", "content": question.instructions},
        *said,
        {"role": "user", "content": question.text},
    ]


def _described(tool: Any) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    return {"type": "function", "function": function}


async def _called(completion: Completion, tools: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages that follow a response with calls: it, and what each call gave."""
    calls = [completion.calls[index] for index in sorted(completion.calls)][:CALLS]
    asked = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in calls
    ]
    answers = []
    for call in calls:
        tool = tools.get(call.name)
        text = "refused: no such tool" if tool is None else await tool.call(call.given())
        answers.append({"role": "tool", "tool_call_id": call.id, "content": text})
    return [
        {"role": "assistant", "content": completion.text or None, "tool_calls": asked},
        *answers,
    ]

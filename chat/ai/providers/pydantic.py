"""Any model that pydantic-ai knows, by its name: `anthropic:...`, `google:...`, `openai-chat:...`.

The package and what it needs are imported when the provider is made, in a worker only.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelTimeoutError,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from pydantic_ai.models import infer_model
from pydantic_ai.providers import infer_provider_class
from pydantic_ai.run import AgentRunResultEvent
from pydantic_ai.tools import Tool as PydanticTool
from pydantic_ai.usage import UsageLimits

from chat.ai.providers.protocol import (
    Delta,
    Done,
    Error,
    Piece,
    Pieces,
    Question,
    Tool,
    Trouble,
    Turn,
    Usage,
)
from chat.ai.providers.statuses import away, bad_answer, error_of_status, timed_out

# Told without a status where the error came by other ways than HTTP.
_STATUSES: dict[type[Exception], int] = {ModelAuthenticationError: 401, ModelNotFoundError: 404}
REQUESTS = 5  # to the model within one answer, tools included


class PydanticProvider:
    """`timeout_s` is how long it may say nothing, before its first piece or between two."""

    def __init__(
        self, model: str, *, base_url: str | None, api_key: str | None, timeout_s: float
    ) -> None:
        """Raises ImportError where the provider's own package is missing, UserError."""
        self.name = model
        self._timeout_s = timeout_s
        given = {"base_url": base_url, "api_key": api_key}
        known = {name: value for name, value in given.items() if value is not None}

        def made(kind: str) -> Any:
            provider = infer_provider_class(kind)(**known)
            # Attempts are counted, told and spaced by the run itself.
            if hasattr(provider.client, "max_retries"):
                provider.client.max_retries = 0
            return provider

        self._agent = Agent(infer_model(model, made))

    async def answer(self, question: Question) -> Pieces:
        async with aclosing(self._events(question)) as events:
            while True:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        piece = await anext(events)
                except StopAsyncIteration:
                    yield Done()
                    return
                except TimeoutError:
                    yield timed_out(self._timeout_s)
                    return
                except (AgentRunError, UserError) as error:
                    yield error_of(error, self._timeout_s)
                    return
                if piece is not None:
                    yield piece

    async def _events(self, question: Question) -> AsyncGenerator[Piece | None, None]:
        """Pieces; None for what has no text, such as the call of a tool."""
        async with self._agent.run_stream_events(
            question.text,
            instructions=question.instructions,
            message_history=[_said(turn) for turn in question.history],
            toolsets=_toolsets(question),
            usage_limits=UsageLimits(request_limit=REQUESTS),
            infer_name=False,
        ) as events:
            async for event in events:
                match event:
                    case PartStartEvent(part=TextPart(content=text)) if text:
                        yield Delta(text)
                    case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                        yield Delta(text)
                    case AgentRunResultEvent(result=result):
                        used = result.usage
                        yield Usage(used.input_tokens, used.output_tokens)
                    case _:
                        yield None


def error_of(error: AgentRunError | UserError, timeout_s: float) -> Error:
    """Only its kind is told: its text may hold what the provider said of the key."""
    name = type(error).__name__
    if isinstance(error, ModelHTTPError):
        return error_of_status(error.status_code, (error.headers or {}).get("retry-after"))
    if (status := _STATUSES.get(type(error))) is not None:
        return error_of_status(status)
    if isinstance(error, ModelTimeoutError):
        return timed_out(timeout_s)
    if isinstance(error, ContentFilterError):
        return Error(Trouble.REFUSED, "the AI refused to answer", name)
    told = away if isinstance(error, ModelAPIError) else bad_answer
    return told(f"expected an answer from the provider, got {name}")


def _said(turn: Turn) -> ModelMessage:
    if turn.role == "assistant":
        return ModelResponse(parts=[TextPart(content=turn.text)])
    return ModelRequest(parts=[UserPromptPart(content=turn.text)])


def _toolsets(question: Question) -> list[Any]:
    from pydantic_ai.toolsets import FunctionToolset

    if not question.tools:
        return []
    made = [
        PydanticTool.from_schema(
            partial(_call, tool), tool.name, tool.description, dict(tool.parameters)
        )
        for tool in question.tools
    ]
    return [FunctionToolset(made)]


async def _call(tool: Tool, **given: Any) -> str:
    return await tool.call(given)

"""OpenAI's streaming chat completions as bytes come: lines, chunks, what they add up to. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LONGEST_LINE = 1_048_576  # bytes without a line's end
# Of one response; calls say no text, so the limit of an answer's length does not see them.
MOST_CALLS = 64
LONGEST_CALLS = 200_000  # characters of all arguments
MOST_TOKENS = 2**31 - 1  # what a column holds


class Malformed(ValueError):
    """What came is no stream of a chat completion; the text says why, without its content."""


class Lines:
    """Bytes in, the data of `data:` lines out. Comments and other fields are skipped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises Malformed."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise Malformed(f"expected lines of at most {LONGEST_LINE} bytes, got a longer one")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


@dataclass(slots=True)
class ToolCall:
    """A call as it comes in parts."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def given(self) -> dict[str, Any]:
        """Its arguments; {} where they are no object."""
        try:
            found = json.loads(self.arguments or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(slots=True)
class Completion:
    """What one response has said so far."""

    text: str = ""
    calls: dict[int, ToolCall] = field(default_factory=dict)
    finish: str | None = None
    usage: tuple[int, int] | None = None
    failed: bool = False  # the provider told of an error within the stream
    done: bool = False
    _called: int = 0  # characters of the calls' arguments

    def take(self, data: bytes) -> str:
        """One chunk; its text, perhaps empty. Raises Malformed."""
        if data == b"[DONE]":
            self.done = True
            return ""
        try:
            chunk = json.loads(data)
            return self._take(chunk)
        except Malformed:
            raise
        except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
            raise Malformed(
                f"expected a chunk of a chat completion, got {len(data)} bytes that are none "
                f"({type(error).__name__})"
            ) from error

    def _take(self, chunk: dict[str, Any]) -> str:
        if chunk.get("error"):
            self.failed = True
            return ""
        if isinstance(usage := chunk.get("usage"), dict):
            self.usage = (
                _count(usage.get("prompt_tokens")),
                _count(usage.get("completion_tokens")),
            )
        if not (choices := chunk.get("choices")):
            if "choices" not in chunk:
                raise KeyError("choices")
            return ""
        choice = choices[0]
        self.finish = choice.get("finish_reason") or self.finish
        delta = choice.get("delta") or {}
        for part in delta.get("tool_calls") or ():
            self._add_call(part)
        text = delta.get("content") or ""
        if not isinstance(text, str):
            raise TypeError("content")
        self.text += text
        return text

    def _add_call(self, part: dict[str, Any]) -> None:
        call = self.calls.setdefault(int(part.get("index", len(self.calls))), ToolCall())
        call.id = part.get("id") or call.id
        function = part.get("function") or {}
        call.name = function.get("name") or call.name
        arguments = function.get("arguments") or ""
        call.arguments += arguments
        self._called += len(arguments)
        if len(self.calls) > MOST_CALLS or self._called > LONGEST_CALLS:
            raise Malformed(
                f"expected calls of tools of at most {LONGEST_CALLS} characters, and {MOST_CALLS} "
                f"of them, got {self._called} and {len(self.calls)}"
            )


def _count(given: object) -> int:
    """A number of tokens as far as it is one: no answer is worth less for a wrong statistic."""
    if isinstance(given, bool) or not isinstance(given, int):
        return 0
    return min(max(given, 0), MOST_TOKENS)

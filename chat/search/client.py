"""Asking the embedder of this machine. Synchronous; nobody waits longer than a limit.

Must not import `engine`.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from chat.search.wire import WireError, asked, embedder_socket
from realtime.breaker import CircuitBreaker
from realtime.embedded.endpoint import EmbeddedValkeyError
from realtime.protocol.errors import Unavailable

SEARCH_TIMEOUT_S = 1.0
EMBED_TIMEOUT_S = 60.0  # a whole batch behind others', on a busy machine
PING_TIMEOUT_S = 0.5

# Whoever searches waits for the first failures only. A started embedder is found within 3 s.
breaker = CircuitBreaker("embedder", part="memory_store", failures=3, wait_s=0.5, max_wait_s=3.0)


class EmbedderAway(Unavailable):
    """The embedder does not answer, or cannot."""


@dataclass(frozen=True, slots=True)
class Found:
    """`score` is from 0 to 1; `keywords` is the weight of the question's words that it has."""

    memory: int
    score: float
    keywords: float


@dataclass(frozen=True, slots=True)
class Embedded:
    """A text as the model sees it; the bytes are those of `MemoryVector`."""

    vector: bytes
    pieces: bytes
    words: bytes


@dataclass(frozen=True, slots=True)
class Embeddings:
    model: str
    version: str
    items: list[Embedded]


def ready() -> bool:
    """Whether the embedder answers now; not asked through the breaker."""
    try:
        return bool(_asked({"ask": "ping"}, PING_TIMEOUT_S)["ok"])
    except EmbedderAway:
        return False


def identity() -> tuple[str, str]:
    """The model's name and version. Raises EmbedderAway."""
    answer = _answer({"ask": "ping"}, PING_TIMEOUT_S)
    return answer["model"], answer["version"]


def search(project: int, text: str, limit: int) -> list[Found]:
    """Memories of the project, best first, those above the threshold only.

    Raises EmbedderAway, BreakerOpen (both are Unavailable).
    """
    question = {"ask": "search", "project": project, "text": text, "limit": limit}
    with breaker.guarding(EmbedderAway):
        answer = _answer(question, SEARCH_TIMEOUT_S)
    return [Found(one["memory"], one["score"], one["keywords"]) for one in answer["found"]]


def embed(texts: Sequence[str]) -> Embeddings:
    """At most `wire.MAX_TEXTS` of them. Raises EmbedderAway."""
    answer = _answer({"ask": "embed", "texts": list(texts)}, EMBED_TIMEOUT_S)
    items = [
        Embedded(**{name: base64.b64decode(item[name]) for name in ("vector", "pieces", "words")})
        for item in answer["items"]
    ]
    return Embeddings(answer["model"], answer["version"], items)


def _answer(question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    answer = _asked(question, timeout_s)
    if answer.get("ok") is not True:
        raise EmbedderAway(f"expected an answer of the embedder, got: {answer.get('error')}")
    return answer


def _asked(question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    try:
        return asked(embedder_socket(settings.PM.data_dir), question, timeout_s)
    except (OSError, WireError, EmbeddedValkeyError) as error:
        raise EmbedderAway(
            f"expected the embedder to answer, got: {error}", retry_after_ms=1000
        ) from error

"""A real Valkey for the module, and tracing as these tests want it."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from realtime.embedded.valkey import EmbeddedValkey
from realtime.tracing.recorder import Kept
from realtime.tracing.spans import use_spans
from realtime.tracing.traces import use_traces


@pytest.fixture(scope="module")
def valkey_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with closing(EmbeddedValkey(tmp_path_factory.mktemp("tracing"))) as valkey:
        valkey.ensure()
        yield f"unix://{valkey.socket_path}"


@pytest.fixture
def kept(valkey_address: str) -> Iterator[Kept]:
    with Redis.from_url(valkey_address) as redis:
        redis.flushall()
        yield Kept(redis, "t")


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Whatever a test put in force ends with it."""
    yield
    use_spans(None)
    use_traces(None)

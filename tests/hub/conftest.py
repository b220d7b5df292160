"""What tests of several hub modules are run with."""

import pytest

from realtime.hub import stream as stream_module


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps are read at once instead of 10 ms later."""
    monkeypatch.setattr(stream_module, "GAP_WAIT_S", 0)

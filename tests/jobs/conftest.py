"""What jobs of this process did."""

from collections.abc import Iterator

import pytest

from tests.jobs import declared


@pytest.fixture(autouse=True)
def seen() -> Iterator[list[str]]:
    declared.seen.clear()
    yield declared.seen
    declared.seen.clear()

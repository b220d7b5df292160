"""The Autobahn cases on every way of serving."""

from pathlib import Path

import pytest

from tests.conformance.report import failures
from tests.conformance.serving import WAYS, results_of
from tests.nodes.installation import temporary_installation


@pytest.mark.parametrize("name", WAYS)
def test_cases_of_autobahn_pass(name: str, tmp_path: Path) -> None:
    """OK, NON-STRICT or INFORMATIONAL, each of them; eight at a time, since most of it is waiting
    for the two seconds between the halves of a message."""
    with temporary_installation(tmp_path) as installation:
        cases = results_of(WAYS[name], installation, at_once=8)
    assert failures({name: cases}) == []

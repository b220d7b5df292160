"""Dashboard and alerts in `docs/` ask for labels and values that there are.

That their names are told by a real server: `tests/status/test_live.py`.
"""

import re

import pytest

from chat.models import RunState
from realtime.components import components
from realtime.jobs.running import End
from realtime.metrics.core import code_label
from realtime.metrics.gauges import GAUGES
from realtime.metrics.kinds import Counter, known
from realtime.protocol.codes import CloseCode, ErrorCode
from status.exposition import PREFIX
from tests.metrics.watching import FILES, asked

LABELS = {"component_state": {"component"}, "measure": {"measure"}}
BUCKET = "le"


def labels_of(series: str) -> set[str]:
    """That the metric is declared with."""
    name = re.sub(r"_(total|bucket|sum|count)$", "", series.removeprefix(PREFIX))
    metric = known().get(name)
    if isinstance(metric, Counter):
        return set(metric.labels)
    if metric is not None:
        return {BUCKET}
    return set(GAUGES[name].labels) if name in GAUGES else LABELS.get(name, set())


def values_of() -> dict[tuple[str, str], set[str]]:
    """All that a label can have, by series and label."""
    measures = {
        f"{name}.{one.name}" for name, part in components().items() for one in part.measures
    }
    return {
        ("pm_refused_total", "code"): {code_label(code) for code in CloseCode},
        ("pm_command_errors_total", "code"): {code.value for code in ErrorCode},
        ("pm_jobs_ended_total", "end"): {end.name.lower() for end in End},
        ("pm_ai_runs_total", "state"): {state.value for state in RunState},
        ("pm_processes", "kind"): {"node", "worker"},
        ("pm_measure", "measure"): measures,
    }


@pytest.mark.parametrize("name", FILES)
def test_labels_are_there(name: str) -> None:
    """A label that no series has makes an alert silent, and a legend empty."""
    found = asked(name)
    assert len(found) > 5
    for one in found:
        assert set(one.values) <= labels_of(one.name), one
    for label in {label for one in found for label in one.shown}:
        having = [one for one in found if label in one.shown and label in labels_of(one.name)]
        assert having, f"expected a series with {label!r}"


@pytest.mark.parametrize("name", FILES)
def test_values_of_labels_can_be(name: str) -> None:
    values = values_of()
    for one in asked(name):
        for label, wanted in one.values.items():
            pattern = re.compile(wanted.replace("\\\\", "\\"))
            assert any(map(pattern.fullmatch, values[one.name, label])), one

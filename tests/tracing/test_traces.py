"""Which events are followed: those that their writer marked, within the bound, on all nodes."""

from typing import Any

from realtime.log.entries import Entry
from realtime.tracing.correlation import Correlation, correlated
from realtime.tracing.recorder import Recorder, Step
from realtime.tracing.traces import MARKED_PER_S, MAX_MARKS, Traces


class NotedSteps(Recorder):
    """A recorder that keeps what it is given in a list."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, Step]] = []

    def put_nowait(self, stream: str, seq: int, step: Step) -> None:
        self.steps.append((stream, seq, step))

    def seqs(self, kind: str) -> list[int]:
        return [seq for _, seq, step in self.steps if step.kind == kind]


class Clock:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(seq, b"{}", "new_message", None, None) for seq in range(first, last + 1)]


def hint(*given: Entry) -> dict[str, Any]:
    return {"entries": [list(entry) for entry in given]}


def made() -> tuple[Traces, NotedSteps, Clock]:
    steps, clock = NotedSteps(), Clock()
    return Traces(steps, clock=clock), steps, clock


def test_writer_marks_so_many_a_second() -> None:
    """A flood is followed by samples, anew each second."""
    traces, steps, clock = made()
    traces.committed("project.1", entries(1, MARKED_PER_S + 10))
    assert steps.seqs("committed") == list(range(1, MARKED_PER_S + 1))
    clock.now += 1
    traces.committed("project.1", entries(100, 101))
    assert steps.seqs("committed")[-2:] == [100, 101]


def test_other_node_follows_what_the_hint_marks() -> None:
    """With the id of the cause, which came with the hint; the rest of the hint is not noted."""
    writer, _, _ = made()
    reader, steps, _ = made()
    both = entries(1, 2)
    with correlated(Correlation("request-1")):
        writer.committed("project.1", both[:1])
    hinted = writer.hinted("project.1", hint(*both))
    assert hinted == [[1, "request-1"]]
    reader.heard("project.1", hinted)
    [(seq, mark)] = reader.received("project.1", both)
    assert (seq, mark.carried, mark.how) == (1, "request-1", "hint")
    reader.handed_out("project.1", seq, mark, began=5.0, at_once=3, behind=1)
    assert [step.kind for _, _, step in steps.steps] == ["received", "handed_out"]
    detail = steps.steps[1][2].detail
    assert (detail["first"], detail["at_once"], detail["behind"]) == (5.0, 3, 1)


def test_same_seq_of_another_stream_is_not_followed() -> None:
    """Marks belong to a stream."""
    traces, _, _ = made()
    traces.committed("project.1", entries(1, 1))
    assert traces.received("project.2", entries(1, 1)) == []


def test_writers_own_node_and_healed_events_say_how_they_came() -> None:
    """Its own copy of a hint changes nothing; what no hint announced is noted as healed."""
    traces, _, _ = made()
    traces.committed("project.1", entries(1, 1))
    traces.heard("project.1", [[1, None]])
    traces.healed("project.1", entries(1, 2))
    marked = traces.received("project.1", entries(1, 2))
    assert [(seq, mark.how) for seq, mark in marked] == [(1, "local"), (2, "healed")]


def test_healed_events_are_bounded_too() -> None:
    """After an outage thousands are healed within a second."""
    traces, _, _ = made()
    traces.healed("project.1", entries(1, 500))
    assert len(traces.received("project.1", entries(1, 500))) == MARKED_PER_S


def test_marks_are_forgotten() -> None:
    """The oldest first: nothing grows with the number of events."""
    traces, _, clock = made()
    for seq in range(1, MAX_MARKS + 2):
        clock.now += 1
        traces.committed("project.1", entries(seq, seq))
    assert traces.received("project.1", entries(1, 1)) == []
    assert len(traces.received("project.1", entries(2, MAX_MARKS + 1))) == MAX_MARKS


def test_layer_took_a_hint() -> None:
    """One step for each event that is followed, none for signals."""
    traces, steps, _ = made()
    traces.committed("project.1", entries(1, 2))
    assert traces.hinted("project.1", {"signals": [[1, b"{}"]]}) == []
    traces.published("project.1", traces.hinted("project.1", hint(*entries(1, 2))), 0.0)
    assert steps.seqs("published") == [1, 2]

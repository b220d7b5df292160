"""Hints: what one process tells the others of its commits, and how what waits becomes messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from realtime.log.entries import Entry
from realtime.protocol.frames import MAX_HINT_FRAME_BYTES

BATCH_BYTES = 262_144  # of frames in one hint

HINT_EVENTS = "realtime.events"  # the only two message types that nodes accept from a group
HINT_SIGNALS = "realtime.signals"
HINT_JOBS = "realtime.jobs"  # and the one that workers accept
JOBS_GROUP = "jobs"  # no stream has this name


@dataclass(frozen=True, slots=True)
class Announcement:
    stream: str
    epoch: str
    entries: tuple[Entry, ...]
    signal: tuple[int, bytes] | None = None  # (after, frame)
    jobs: tuple[int, ...] | None = None  # those to be cancelled; () when some were enqueued
    committed_at: float = 0.0  # by this machine's clock

    @property
    def size(self) -> int:
        """Bytes of frames that a hint would carry."""
        size = len(self.signal[1]) if self.signal is not None else 0
        return size + sum(len(entry.frame or b"") for entry in self.entries)


def joined(gathered: Sequence[Announcement], origin: str) -> list[tuple[str, dict[str, Any]]]:
    """One message per stream and kind, events in seq order; large frames as positions only.

    Signals that were announced before the first of their stream's events go before them: progress
    is not to be told after its end, however long the first connection took.
    """
    events: dict[tuple[str, str], list[Entry]] = {}
    committed: dict[tuple[str, str], float] = {}  # the first of them
    early: dict[str, list[tuple[int, bytes]]] = {}
    signals: dict[str, list[tuple[int, bytes]]] = {}
    jobs = [one.jobs for one in gathered if one.jobs is not None]
    for one in gathered:
        if one.jobs is not None:
            continue
        if one.signal is not None:
            signals.setdefault(one.stream, []).append(one.signal)
        else:
            if one.stream in signals and (one.stream, one.epoch) not in events:
                early.setdefault(one.stream, []).extend(signals.pop(one.stream))
            events.setdefault((one.stream, one.epoch), []).extend(one.entries)
            committed.setdefault((one.stream, one.epoch), one.committed_at)
    messages: list[tuple[str, dict[str, Any]]] = []
    for (stream, epoch), entries in events.items():
        entries.sort(key=lambda entry: entry.seq)
        if stream in early:
            messages.append((stream, _signals(stream, origin, early.pop(stream))))
        at = committed[stream, epoch]
        messages += [(stream, _hint(stream, epoch, part, at)) for part in _parts(entries)]
    messages += [(stream, _signals(stream, origin, waiting)) for stream, waiting in signals.items()]
    if jobs:
        cancelled = sorted({number for ids in jobs for number in ids})
        messages.append((JOBS_GROUP, {"type": HINT_JOBS, "cancelled": cancelled}))
    return messages


def _parts(entries: Sequence[Entry]) -> list[list[Entry]]:
    parts: list[list[Entry]] = []
    size = BATCH_BYTES + 1
    for entry in entries:
        length = len(entry.frame or b"")
        carried = entry if length <= MAX_HINT_FRAME_BYTES else entry._replace(frame=None)
        size += len(carried.frame or b"")
        if size > BATCH_BYTES:
            parts.append([])
            size = len(carried.frame or b"")
        parts[-1].append(carried)
    return parts


def _hint(stream: str, epoch: str, entries: Sequence[Entry], at: float) -> dict[str, Any]:
    listed = [list(entry) for entry in entries]
    return {"type": HINT_EVENTS, "stream": stream, "epoch": epoch, "entries": listed, "at": at}


def _signals(stream: str, origin: str, waiting: Sequence[tuple[int, bytes]]) -> dict[str, Any]:
    """Signals have no seq to be known by, so the node that made them skips its own copy."""
    listed = [list(one) for one in waiting]
    return {"type": HINT_SIGNALS, "stream": stream, "origin": origin, "signals": listed}

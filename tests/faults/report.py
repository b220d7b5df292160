"""What a run came to, and how it is told."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.record import Account
from tests.faults.schedule import LANES

_SHOWN = 20


@dataclass
class Outcome:
    """`account` holds the four numbers; `misbehaviour` what the protocol document rules out."""

    seed: int
    variant: str
    seconds: float
    account: Account
    injected: Counter[str]
    clients: int = 0
    frames: int = 0
    streams: int = 0
    events: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    settled_s: float = 0.0
    answered_s: float = 0.0
    runs: Counter[str] = field(default_factory=Counter)  # of the AI, by their states
    client_counts: Counter[str] = field(default_factory=Counter)
    writer_counts: Counter[str] = field(default_factory=Counter)
    write_took_s: list[float] = field(default_factory=list)
    misbehaviour: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tracebacks: Counter[str] = field(default_factory=Counter)

    @property
    def passed(self) -> bool:
        done = bool(self.frames) and bool(self.runs["completed"])
        return done and not self.account.total and not self.misbehaviour


def ms(seconds: Iterable[float], share: float) -> float:
    """The nearest-rank percentile in milliseconds; 0 of nothing."""
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def tracebacks(logs: Sequence[Path]) -> Counter[str]:
    """The last line of each traceback in the nodes' logs, numbers taken out, and how often."""
    found: Counter[str] = Counter()
    for log in logs:
        inside = False
        for line in log.read_text(errors="replace").splitlines():
            if line.startswith("Traceback"):
                inside = True
            elif inside and line and not line[0].isspace():
                found[re.sub(r"[0-9]+", "N", line)[:150]] += 1
                inside = False
    return found


def printed(outcome: Outcome) -> str:
    """The tables, the four zeros last."""
    lines = ["", f"Faults injected (seed {outcome.seed}, {outcome.variant}):"]
    for lane, kinds in LANES.items():
        lines += [
            f"  {lane:9} {kind.name:24} {outcome.injected[kind.name]:5}"
            for kind in kinds
            if outcome.injected[kind.name]
        ]
    lines.append(f"  {'':9} {'together':24} {sum(outcome.injected.values()):5}")
    took = outcome.write_took_s
    lines += [
        "",
        f"Events committed            {outcome.events:9} in {outcome.streams} streams",
        f"Writes acknowledged         {outcome.acknowledged:9}",
        f"Writes without an answer    {outcome.unacknowledged:9}",
        f"Frames read and compared    {outcome.frames:9} by {outcome.clients} clients",
        f"Runs of the AI              {sum(outcome.runs.values()):9}: {_counted(outcome.runs)}",
        f"All ended after the faults  {outcome.answered_s:9.1f} s",
        f"REST writes p50, p99        {ms(took, 0.5):9.0f}, {ms(took, 0.99):.0f} ms",
        f"All level after the faults  {outcome.settled_s:9.1f} s",
        "",
        f"Clients: {_counted(outcome.client_counts)}",
        f"Writers: {_counted(outcome.writer_counts)}",
    ]
    for title, listed in (
        ("Notes", outcome.notes),
        ("Tracebacks in the logs", [f"{n} x {t}" for t, n in outcome.tracebacks.items()]),
        ("Ruled out by the protocol", outcome.misbehaviour),
        ("Cases", outcome.account.cases),
    ):
        if listed:
            lines += ["", f"{title} ({len(listed)}):", *(f"  {one}" for one in listed[:_SHOWN])]
    account = outcome.account
    four = ("lost", "duplicated", "reordered", "phantom")
    lines += ["", "   ".join(f"{name} {getattr(account, name)}" for name in four)]
    return "\n".join(lines)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "nothing"

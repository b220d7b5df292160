"""The busiest streams of all nodes, and those whose readers are behind. Synchronous."""

from typing import Any

from status.exchange import living
from status.probes.traffic import COMPONENT

SHOWN = 10
_ADDED = ("readers", "events_per_s", "delivered_per_s", "behind")


def busiest() -> list[dict[str, Any]]:
    """As the nodes last said, those first whose readers are behind. An event counts on each node
    that has its stream open, so of events the node that says most counts."""
    found: dict[str, dict[str, Any]] = {}
    for report in living().values_list("report", flat=True):
        for row in report.get(COMPONENT.name, {}).get("detail", {}).get("streams", ()):
            known = found.get(row["stream"])
            found[row["stream"]] = row if known is None else _added(known, row)
    rows = sorted(found.values(), key=lambda row: (-row["behind"], -row["delivered_per_s"]))
    return rows[:SHOWN]


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    sums = {name: one[name] + other[name] for name in _ADDED}
    events = max(one["events_per_s"], other["events_per_s"])
    return {**sums, "events_per_s": events, "stream": one["stream"]}

"""The machine of each node: its disk, its memory, its load."""

import os
import shutil
from pathlib import Path

from realtime.components import Component, Finding, Look, Measure, Merge, Scope, State
from realtime.conf import options

LITTLE_PERCENT = 10.0
HARDLY_ANY_PERCENT = 2.0
_MEMINFO = Path("/proc/meminfo")


def disk(node: object) -> Look:
    folder = options().data_dir

    async def look() -> Finding:
        usage = shutil.disk_usage(folder)
        free = usage.free / usage.total * 100
        values = {"free_bytes": float(usage.free), "free_percent": free}
        return Finding(_little(free), "" if free > LITTLE_PERCENT else f"{free:.1f} % free", values)

    return look


def available_memory() -> dict[str, float]:
    """Linux's own estimate of what can be had without swapping; {} elsewhere."""
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return {}
    found = {
        name: int(rest.split()[0]) * 1024 for name, _, rest in (s.partition(":") for s in lines)
    }
    available = float(found.get("MemAvailable", 0))
    return {
        "available_bytes": available,
        "available_percent": available / max(found.get("MemTotal", 0), 1) * 100,
    }


def machine(node: object) -> Look:
    cores = os.cpu_count() or 1

    async def look() -> Finding:
        values = {"load_per_core": os.getloadavg()[0] / cores, **available_memory()}
        free = values.get("available_percent", 100.0)
        text = "" if free > LITTLE_PERCENT else f"{free:.1f} % of its memory can be had"
        return Finding(_little(free), text, values)

    return look


def _little(free_percent: float) -> State:
    if free_percent <= HARDLY_ANY_PERCENT:
        return State.DOWN
    return State.DEGRADED if free_percent <= LITTLE_PERCENT else State.OK


COMPONENTS = (
    Component(
        name="disk",
        label="Disk",
        scope=Scope.NODE,
        every_s=30.0,
        limit_s=2.0,
        meaning={State.DEGRADED: "10 % free or less", State.DOWN: "2 % free or less"},
        measures=(
            Measure("free_bytes", "bytes", "of the data folder's disk", Merge.MIN),
            Measure("free_percent", "percent", "of it", Merge.MIN),
        ),
        probe=disk,
    ),
    Component(
        name="machine",
        label="Machine",
        scope=Scope.NODE,
        every_s=10.0,
        limit_s=1.0,
        meaning={
            State.DEGRADED: "10 % of the memory can be had, or less",
            State.DOWN: "2 % of the memory can be had, or less",
        },
        measures=(
            Measure("load_per_core", "", "processes that want a core, over a minute"),
            Measure("available_bytes", "bytes", "memory to be had without swapping", Merge.MIN),
            Measure("available_percent", "percent", "of it", Merge.MIN),
        ),
        probe=machine,
    ),
)

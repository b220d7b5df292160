"""How much a server sustains: the rate is raised until the p99 passes 200 ms or something is lost.

Parameters: as of `fan_out`, `rate` being where it begins; `limit_ms` for the p99.
"""

import math
from collections.abc import Mapping
from typing import Any

from bench.measures.fan_out import load_of, publish
from bench.measures.stage import Stage, settle

FACTOR = 2.0
REFINEMENTS = 2
# A step that takes longer to drain has failed anyway.
DRAIN_S = 2.0
MIN_RATE = 1.0
MAX_STEPS = 16


def maximum(stage: Stage, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Twice the rate until a step fails, then two steps between the last good one and it.
    Where the first fails: half of it, or what came through where that was less."""
    load = load_of(parameters)
    stage.seat_readers(load.sockets, load.rooms)
    stage.seat_writers(load.writers, load.rooms)
    settle(stage.server)
    publish(stage, load, drain_s=DRAIN_S)  # warms up
    steps: list[dict[str, Any]] = []
    good: dict[str, Any] | None = None
    bad: float | None = None
    rate, refinements = load.rate, 0
    while len(steps) < MAX_STEPS:
        settle(stage.server)
        figures = publish(stage, load_of(parameters, rate=rate), drain_s=DRAIN_S)
        steps.append(_step(rate, figures))
        if _held(figures, parameters["limit_ms"]):
            good = steps[-1]
        else:
            bad = rate
        if bad is None:
            rate *= FACTOR
        elif good is None:
            through = figures["deliveries_per_s"] * load.rooms / load.sockets
            rate = min(rate / FACTOR, through)
            if rate < MIN_RATE:
                break
        elif refinements == REFINEMENTS:
            break
        else:
            refinements += 1
            rate = math.sqrt(good["rate"] * bad)
    if good is None:
        return {"messages_per_s": 0, "deliveries_per_s": 0, "steps": steps}
    return {
        "messages_per_s": good["rate"],
        "deliveries_per_s": good["deliveries_per_s"],
        "p99_ms": good["p99_ms"],
        "steps": steps,
    }


def _held(figures: Mapping[str, Any], limit_ms: float) -> bool:
    failed = figures["lost"] or figures["refused"] or figures["closed"] or figures["saturated"]
    return not failed and figures["p99_ms"] <= limit_ms


def _step(rate: float, figures: Mapping[str, Any]) -> dict[str, Any]:
    names = ("deliveries_per_s", "p99_ms", "lost", "refused", "cpu_share", "generator_share")
    return {"rate": round(rate, 2), **{name: figures[name] for name in names}}

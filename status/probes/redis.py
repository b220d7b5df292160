"""Redis or Valkey, the first of several: memory, evictions, clients."""

from typing import TYPE_CHECKING, Any

from realtime.components import Component, Finding, Look, Measure, Scope, State
from realtime.protocol.errors import Unavailable
from realtime.shared.store import BACKGROUND_LIMIT_S

if TYPE_CHECKING:
    from realtime.node import Node

FULL_PERCENT = 90.0


def probe(node: "Node | None") -> Look:
    evicted: int | None = None

    async def look() -> Finding | None:
        nonlocal evicted
        store = node.shared if node is not None else None
        if store is None:
            return None
        try:
            info: dict[str, Any] = await store.call(
                lambda redis: redis.info("memory", "clients", "stats"), limit_s=BACKGROUND_LIMIT_S
            )
        except Unavailable as error:
            return Finding(State.DOWN, error.message)
        total = int(info["evicted_keys"])
        values = _values(info, 0 if evicted is None else max(0, total - evicted))
        evicted = total
        return Finding(*_judged(values), values)

    return look


def _values(info: dict[str, Any], evicted: int) -> dict[str, float]:
    values = {
        "used_bytes": float(info["used_memory"]),
        "clients": float(info["connected_clients"]),
        "ops_per_s": float(info["instantaneous_ops_per_sec"]),
        "evicted": float(evicted),
    }
    if limit := int(info.get("maxmemory", 0)):
        values["max_bytes"] = float(limit)
        values["used_percent"] = values["used_bytes"] / limit * 100
    return values


def _judged(values: dict[str, float]) -> tuple[State, str]:
    if values["evicted"]:
        return State.DEGRADED, f"{values['evicted']:.0f} keys were dropped for want of memory"
    if values.get("used_percent", 0.0) >= FULL_PERCENT:
        return State.DEGRADED, f"{values['used_percent']:.0f} % of its memory is used"
    return State.OK, ""


COMPONENT = Component(
    name="redis",
    label="Redis",
    scope=Scope.SYSTEM,
    every_s=2.5,
    limit_s=2.0,
    meaning={
        State.DEGRADED: "it drops keys, or 90 % of its memory is used",
        State.DOWN: "no answer within a second: signals and presence suffer, no event is lost",
    },
    measures=(
        Measure("used_bytes", "bytes", "memory in use"),
        Measure("max_bytes", "bytes", "the limit of its memory, where it has one"),
        Measure("used_percent", "percent", "of that limit"),
        Measure("clients", "", "connections to it"),
        Measure("ops_per_s", "per_s", "commands, as it says itself"),
        Measure("evicted", "", "keys dropped for want of memory since the last look"),
    ),
    probe=probe,
)

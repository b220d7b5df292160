"""Which faults happen when: a pure function of the seed, so that a run can be made again.

Lanes run side by side, the faults of one lane one after another. A lane goes through all its kinds
in a random order before any comes again, so that even a short run has most of them.
"""

import random
from dataclasses import dataclass

# Parts of this, at the end of a run, are for the last faults to end and for clients to settle.
QUIET_END_S = 4.0


@dataclass(frozen=True)
class Variant:
    """What the installation stands on. `external`: a Valkey of the harness behind a proxy."""

    database: str  # "postgresql" or "sqlite"
    layer: str  # "external" or "embedded"

    def __str__(self) -> str:
        return f"{self.database}, {self.layer} layer"


@dataclass(frozen=True)
class Kind:
    """A kind of fault; it lasts from `for_s[0]` to `for_s[1]` seconds where it lasts at all."""

    name: str
    for_s: tuple[float, float] = (0.0, 0.0)
    database: str | None = None  # only where the installation stands on this one
    layer: str | None = None

    def suits(self, variant: Variant) -> bool:
        return self.database in {None, variant.database} and self.layer in {None, variant.layer}


# Names are methods of `tests.faults.injections.Injections`.
LANES: dict[str, tuple[Kind, ...]] = {
    "nodes": (
        Kind("kill_node", (0.5, 4.0)),
        Kind("stop_node", (1.0, 8.0)),
        Kind("restart_nodes_in_turn"),
    ),
    "layer": (
        Kind("kill_layer", (0.5, 6.0)),
        Kind("stop_layer", (2.0, 10.0)),
        Kind("empty_layer"),
        Kind("slow_layer", (3.0, 8.0), layer="external"),
        Kind("cut_layer", (2.0, 8.0), layer="external"),
        Kind("black_hole_layer", (2.0, 10.0), layer="external"),
    ),
    "database": (
        Kind("restart_database", (0.5, 3.0), database="postgresql"),
        Kind("kill_database", (0.5, 3.0), database="postgresql"),
        Kind("stop_database", (1.0, 4.0), database="postgresql"),
        Kind("lock_database", (0.5, 3.0), database="sqlite"),
    ),
    "clients": (
        Kind("vanish"),
        Kind("half_open", (3.0, 9.0)),
        Kind("read_slowly", (3.0, 12.0)),
        Kind("cut_links", (0.5, 3.0)),
        Kind("slow_links", (2.0, 6.0)),
        Kind("black_hole_links", (2.0, 9.0)),
    ),
    "writers": (
        Kind("die_before_sending"),
        Kind("burst"),
        Kind("roll_back"),
    ),
    # One of two each time: the other one takes over what it had.
    "worker": (
        Kind("kill_worker", (0.5, 4.0)),
        Kind("stop_worker", (1.0, 8.0)),
        Kind("restart_worker"),
        Kind("cut_worker_from_database", (1.0, 8.0), database="postgresql"),
    ),
}
# Seconds of rest between two faults of a lane.
_REST_S = {
    "nodes": (3.0, 8.0),
    "layer": (3.0, 8.0),
    "database": (12.0, 25.0),
    "clients": (0.5, 3.0),
    "writers": (2.0, 5.0),
    "worker": (2.0, 6.0),
}


@dataclass(frozen=True)
class Planned:
    """`wait_s` after the end of the lane's last fault it begins; `choice` seeds what it hits."""

    lane: str
    kind: Kind
    wait_s: float
    for_s: float
    choice: int


def plan(seed: int, seconds: float, variant: Variant) -> dict[str, list[Planned]]:
    """For each lane what comes one after another, at least enough for that many seconds."""
    lanes: dict[str, list[Planned]] = {}
    for lane, kinds in LANES.items():
        suiting = [kind for kind in kinds if kind.suits(variant)]
        lanes[lane] = []
        dice, filled_s, bag = random.Random(f"{seed} {lane}"), 0.0, list[Kind]()
        while suiting and filled_s < seconds:
            if not bag:
                bag = dice.sample(suiting, len(suiting))
            kind = bag.pop()
            low_s, high_s = _REST_S[lane]
            # The first ones come early, so that a short run has its share.
            wait_s = dice.uniform(low_s, high_s) if lanes[lane] else dice.uniform(0.0, low_s)
            planned = Planned(lane, kind, wait_s, dice.uniform(*kind.for_s), dice.getrandbits(32))
            lanes[lane].append(planned)
            filled_s += planned.wait_s + planned.for_s
    return lanes

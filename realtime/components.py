"""The parts of the system that can be looked at: the one registry of components and measures.

Whoever owns a part registers it in its `AppConfig.ready`; status looks at all of them, keeps what
they measure, and knows none by name. A measure's full name is `component.measure`; each component
has the measure `state` besides its own. Must not import status or chat.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.node import Node


class State(StrEnum):
    """How a part does. `unknown` is no finding: what it rests on does not answer."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"

    @property
    def level(self) -> int:
        """0, 1, 2 as the measure `state`; -1 for unknown, which is never stored."""
        return _LEVELS[self]


_LEVELS = {State.UNKNOWN: -1, State.OK: 0, State.DEGRADED: 1, State.DOWN: 2}


class Scope(StrEnum):
    """Where a part is looked at from."""

    PROCESS = "process"  # each node and each worker looks at its own
    NODE = "node"  # each serving process
    SYSTEM = "system"  # one node for all


class Merge(StrEnum):
    """What the values of several processes are together."""

    MAX = "max"
    MIN = "min"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Measure:
    """`unit` as shown: ms, s, bytes, percent, per_s, or "" for a number of things."""

    name: str
    unit: str
    text: str
    merge: Merge = Merge.MAX


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `values` by names of the component's measures, those it could take.
    `detail` is JSON values for whoever knows this component; it is not kept."""

    state: State
    text: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)


Look = Callable[[], Awaitable[Finding | None]]


@dataclass(frozen=True, slots=True)
class Component:
    """A part and how it is looked at.

    probe: given the process's node (None in a worker) returns the look, which keeps what it needs
    between two looks; it runs in the process's event loop and must not block it. A look returns
    None where the part does not exist here.
    every_s: between two looks; limit_s: a look that takes longer means down.
    meaning: what degraded and down mean, for people. vital: without it the system is down.
    """

    name: str
    label: str
    scope: Scope
    every_s: float
    limit_s: float
    meaning: Mapping[State, str]
    measures: Sequence[Measure]
    probe: "Callable[[Node | None], Look]"
    vital: bool = False


STATE = Measure("state", "", "0 ok, 1 degraded, 2 down")

_components: dict[str, Component] = {}


def register_component(component: Component) -> None:
    """Once per part, at start. Raises ValueError when another one has its name."""
    known = _components.get(component.name)
    if known is not None and known is not component:
        raise ValueError(f"expected a new name for a component, got {component.name!r} again")
    _components[component.name] = component


def components() -> Mapping[str, Component]:
    """All that are registered, by name, in the order of their registration."""
    return _components


def measure_of(full_name: str) -> tuple[Component, Measure] | None:
    """The component and the measure of `component.measure`; None where there is none."""
    name, _, measure_name = full_name.partition(".")
    component = _components.get(name)
    if component is None:
        return None
    for measure in (STATE, *component.measures):
        if measure.name == measure_name:
            return component, measure
    return None

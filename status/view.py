"""The whole out of what each process finds: a state per component, a value per measure. Pure."""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from realtime.components import (
    STATE,
    Component,
    Finding,
    Merge,
    Scope,
    State,
    components,
    measure_of,
)
from status.exchange import MemberView, Report

Values = dict[str, float]  # by full names of measures

_JOIN: dict[Merge, Callable[[float, float], float]] = {
    Merge.MAX: max,
    Merge.MIN: min,
    Merge.SUM: operator.add,
}


@dataclass(frozen=True, slots=True)
class View:
    """`values` are of the system, `of_members` each process's own; `details` those of a component,
    from every process that gave some."""

    state: State
    parts: dict[str, State]
    texts: dict[str, str]
    values: Values
    of_members: dict[str, Values] = field(default_factory=dict)
    details: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    nodes: int = 0

    @property
    def health(self) -> dict[str, Any]:
        """As the payload of `system_status_update`, without its version."""
        return {
            "state": self.state.value,
            "parts": {name: state.value for name, state in self.parts.items()},
            "texts": self.texts,
            "nodes": self.nodes,
        }

    def over(self, board: Mapping[str, Any]) -> "View":
        """With what this one does not know from a board's view."""
        parts = {name: State(state) for name, state in board.get("parts", {}).items()} | self.parts
        texts = {
            name: text for name, text in board.get("texts", {}).items() if name not in self.parts
        }
        return replace(
            self,
            state=overall(components(), parts),
            parts=parts,
            texts=texts | self.texts,
            nodes=board.get("nodes", self.nodes),
        )

    def among(self, names: Iterable[str]) -> "View":
        """With those of these parts that this one has no finding of as unknown."""
        wanted = {*names, *self.parts}
        parts = {
            name: self.parts.get(name, State.UNKNOWN) for name in components() if name in wanted
        }
        return replace(self, parts=parts)

    @property
    def stored(self) -> dict[str, Any]:
        """As it stands on the board."""
        return {**self.health, "values": self.values}


def report_of(findings: Mapping[str, Finding]) -> Report:
    """As a process tells it to the others."""
    return {
        name: {
            "state": one.state.value,
            "text": one.text,
            "values": dict(one.values),
            **({"detail": dict(one.detail)} if one.detail else {}),
        }
        for name, one in findings.items()
    }


def view_of(known: Mapping[str, Component], members: Iterable[MemberView], system: Report) -> View:
    """`system` is what was looked at once. Reports of components that this program does not know,
    as while versions change, are left out."""
    listed = list(members)
    reports = [(one.id, one.report) for one in listed] + [("", system)]
    parts: dict[str, State] = {}
    texts: dict[str, str] = {}
    values: Values = {}
    of_members: dict[str, Values] = {}
    details: dict[str, list[dict[str, Any]]] = {}
    for member, report in reports:
        for name, told in report.items():
            component = known.get(name)
            if component is None or (component.scope is Scope.SYSTEM) is not (member == ""):
                continue
            state = State(told["state"])
            if name not in parts or state.level > parts[name].level:
                parts[name] = state
                texts[name] = told["text"]
            own = values_of(name, told)
            _join(values, own)
            of_members.setdefault(member, {}).update(own)
            if "detail" in told:
                details.setdefault(name, []).append(told["detail"])
    of_members.pop("", None)
    ordered = {name: parts[name] for name in known if name in parts}
    return View(
        overall(known, ordered),
        ordered,
        {name: text for name, text in texts.items() if text and ordered[name] is not State.OK},
        values,
        of_members,
        details,
        sum(one.kind == "node" for one in listed),
    )


def values_of(component: str, told: Mapping[str, Any]) -> Values:
    """By full names; the state too, but for one that is unknown."""
    found = {f"{component}.{name}": value for name, value in told["values"].items()}
    level = State(told["state"]).level
    return found if level < 0 else {**found, f"{component}.{STATE.name}": float(level)}


def _join(values: Values, more: Values) -> None:
    for name, value in more.items():
        declared = measure_of(name)
        if declared is not None:
            known = values.get(name)
            values[name] = value if known is None else _JOIN[declared[1].merge](known, value)


def overall(known: Mapping[str, Component], parts: Mapping[str, State]) -> State:
    """Down when a vital part is; degraded when any part is not ok."""
    vital = {name for name, component in known.items() if component.vital}
    if any(state is State.DOWN and name in vital for name, state in parts.items()):
        return State.DOWN
    troubled = (State.DEGRADED, State.DOWN)
    return State.DEGRADED if any(state in troubled for state in parts.values()) else State.OK

"""What processes did to get a part back, as they report it and as an alert keeps it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from realtime.recoveries import Recovery

CIRCUITS = "circuits"  # the component whose detail has them, under TRIED
TRIED = "tried"
# Nodes notice a dead Redis by what it does to the channel layer.
_PARTS = {"redis": ("redis", "channel_layer")}


def parts_of(component: str) -> tuple[str, ...]:
    """Whose troubles an alert of this component tells."""
    return _PARTS.get(component, (component,))


def told(one: Recovery) -> dict[str, Any]:
    """As a process reports it."""
    return {
        "part": one.part,
        "what": one.what,
        "tries": one.tries,
        "began": one.began.isoformat(),
        "ended": one.ended.isoformat() if one.ended is not None else None,
    }


@dataclass(frozen=True, slots=True)
class Tried:
    """The same attempt of all processes together; `ended` None while it goes on in one of them."""

    what: str
    tries: int
    processes: int
    began: datetime
    ended: datetime | None

    @property
    def text(self) -> str:
        times = "once" if self.tries == 1 else f"{self.tries} times"
        by = "" if self.processes == 1 else f" by {self.processes} processes"
        end = "it does not answer yet" if self.ended is None else "with success"
        return f"{self.what}, {times}{by}: {end}"

    @property
    def detail(self) -> dict[str, Any]:
        return {
            "tries": self.tries,
            "processes": self.processes,
            "outcome": "going on" if self.ended is None else "recovered",
        }


def reported(details: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """What all processes report, out of the details of CIRCUITS."""
    return tuple(one for detail in details for one in detail.get(TRIED, ()))


def tried_for(
    component: str, found: Sequence[Mapping[str, Any]], since: datetime | None
) -> list[Tried]:
    """What was done for that component since then, by what it was."""
    joined: dict[str, Tried] = {}
    for one in found:
        ended = None if one["ended"] is None else datetime.fromisoformat(one["ended"])
        if one["part"] not in parts_of(component) or _before(ended, since):
            continue
        began = datetime.fromisoformat(one["began"])
        own = Tried(one["what"], one["tries"], 1, began, ended)
        known = joined.get(own.what)
        joined[own.what] = own if known is None else _both(known, own)
    return sorted(joined.values(), key=lambda one: one.began)


def _before(ended: datetime | None, since: datetime | None) -> bool:
    return since is None or (ended is not None and ended < since)


def _both(one: Tried, other: Tried) -> Tried:
    ended = None if one.ended is None or other.ended is None else max(one.ended, other.ended)
    return replace(
        one,
        tries=one.tries + other.tries,
        processes=one.processes + other.processes,
        began=min(one.began, other.began),
        ended=ended,
    )

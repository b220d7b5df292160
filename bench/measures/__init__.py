"""How each kind of scenario is measured: functions of a stage and the parameters of a case."""

from collections.abc import Callable, Mapping
from typing import Any

from bench.measures.fan_out import fan_out
from bench.measures.stage import Stage

Parameters = Mapping[str, Any]
Figures = dict[str, Any]

KINDS: dict[str, Callable[[Stage, Parameters], Figures]] = {
    "fan_out": fan_out,
}

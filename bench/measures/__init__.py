"""How each kind of scenario is measured: functions of a stage and the parameters of a case."""

from collections.abc import Callable, Mapping
from typing import Any

from bench.measures.connects import connects
from bench.measures.fan_out import fan_out
from bench.measures.idle import idle
from bench.measures.maximum import maximum
from bench.measures.stage import Stage
from bench.measures.storm import storm

KINDS: dict[str, Callable[[Stage, Mapping[str, Any]], dict[str, Any]]] = {
    "connects": connects,
    "fan_out": fan_out,
    "idle": idle,
    "maximum": maximum,
    "storm": storm,
}

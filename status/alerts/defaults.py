"""The rules that everybody begins with, made after each migrate where they are missing.

Whoever does not want one switches it off: a deleted one comes back.
"""

from typing import Any

from realtime.components import State, components
from status.models import AlertRule, Comparison, Severity, Subjects

# How many are told of a part that is down; parts that another part's rule speaks for have none.
_DOWN = {
    "database": Severity.CRITICAL,
    "redis": Severity.CRITICAL,
    "event_log": Severity.CRITICAL,
    "jobs": Severity.CRITICAL,
    "ai": Severity.WARNING,
    "memory_store": Severity.WARNING,
}
# A worker is taken for dead after 6 s of silence, which is most of a duration already.
_DURATIONS_S = {"jobs": 1.5}
_RULES: tuple[dict[str, Any], ...] = (
    {
        # Redis away takes the layer with it: that is one story, and Redis' own.
        "name": "channel_layer.deaf",
        "component": "channel_layer",
        "text": "Hints do not arrive although Redis answers; events come by polling the log",
        "expression": "channel_layer.state - redis.state",
        "threshold": 2.0,
        "duration_s": 10.0,
    },
    {
        "name": "database.slow",
        "component": "database",
        "text": "The database takes long to answer",
        "expression": "database.answer_ms",
        "threshold": 500.0,
        "clear_threshold": 300.0,
        "duration_s": 30.0,
    },
    {
        "name": "event_loop.late",
        "component": "event_loop",
        "text": "A process is late for everything",
        "expression": "event_loop.lag_ms",
        "threshold": 250.0,
        "clear_threshold": 150.0,
        "duration_s": 20.0,
        "escalate_threshold": 2000.0,
        "subjects": Subjects.MEMBER,
    },
    {
        "name": "cpu.busy",
        "component": "cpu",
        "text": "A process uses a whole core",
        "expression": "cpu.percent",
        "threshold": 90.0,
        "clear_threshold": 75.0,
        "duration_s": 120.0,
        "clear_after_s": 60.0,
        "subjects": Subjects.MEMBER,
    },
    {
        "name": "machine.memory",
        "component": "machine",
        "text": "A machine has little memory left",
        "expression": "machine.available_percent",
        "comparison": Comparison.BELOW,
        "threshold": 8.0,
        "clear_threshold": 12.0,
        "escalate_threshold": 3.0,
        "duration_s": 30.0,
    },
    {
        "name": "disk.full",
        "component": "disk",
        "text": "The disk of the data folder is nearly full",
        "expression": "disk.free_percent",
        "comparison": Comparison.BELOW,
        "threshold": 10.0,
        "clear_threshold": 12.0,
        "escalate_threshold": 3.0,
        "duration_s": 60.0,
    },
    {
        "name": "redis.full",
        "component": "redis",
        "text": "Redis has used most of its memory",
        "expression": "redis.used_bytes / redis.max_bytes * 100",
        "threshold": 90.0,
        "clear_threshold": 80.0,
        "duration_s": 30.0,
    },
    {
        "name": "jobs.waiting",
        "component": "jobs",
        "text": "A job that is ready to run waits long",
        "expression": "jobs.oldest_s",
        "threshold": 60.0,
        "clear_threshold": 10.0,
        "duration_s": 10.0,
        "escalate_threshold": 600.0,
    },
    {
        "name": "jobs.dead",
        "component": "jobs",
        "text": "Jobs have used up their attempts and wait for a person",
        "expression": "jobs.dead",
        "threshold": 1.0,
        "severity": Severity.INFO,
        "duration_s": 10.0,
    },
    {
        "name": "sockets.full",
        "component": "sockets",
        "text": "A node has few places left",
        "expression": "sockets.used_percent",
        "threshold": 90.0,
        "clear_threshold": 80.0,
        "duration_s": 10.0,
        "escalate_threshold": 99.0,
        "subjects": Subjects.MEMBER,
    },
    {
        "name": "ai.failing",
        "component": "ai",
        "text": "Half of the AI's answers fail",
        "expression": "ai.error_percent",
        "threshold": 50.0,
        "clear_threshold": 25.0,
        "duration_s": 30.0,
    },
    {
        "name": "memory_store.behind",
        "component": "memory_store",
        "text": "Many memories have no vector yet",
        "expression": "memory_store.vectors_missing",
        "threshold": 1000.0,
        "clear_threshold": 100.0,
        "duration_s": 600.0,
        "severity": Severity.INFO,
    },
    {
        "name": "errors.repeated",
        "component": "errors",
        "text": "The same error happens again and again",
        "expression": "errors.per_minute",
        "threshold": 10.0,
        "clear_threshold": 3.0,
        "duration_s": 5.0,
        "clear_after_s": 60.0,
        "escalate_threshold": 100.0,
        "subjects": Subjects.ERROR,
    },
)


def _down_rules() -> list[dict[str, Any]]:
    known = components()
    return [
        {
            "name": f"{name}.down",
            "component": name,
            "text": f"{known[name].label}: {known[name].meaning[State.DOWN]}"[:200],
            "expression": f"{name}.state",
            "threshold": 2.0,
            "severity": severity,
            "duration_s": _DURATIONS_S.get(name, 3.0),
            "clear_after_s": 5.0,
        }
        for name, severity in _DOWN.items()
        if name in known
    ]


def ensure_rules(using: str) -> None:
    """Make those that are missing; what an operator changed stays as it is."""
    wanted = [AlertRule(**fields) for fields in (*_down_rules(), *_RULES)]
    AlertRule.objects.using(using).bulk_create(wanted, ignore_conflicts=True)

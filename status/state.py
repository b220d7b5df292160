"""The state of the whole as readers get it: in the snapshot of `status`, and by the API."""

from typing import Any

from realtime.components import STATE, Component, components
from realtime.protocol.payloads.shape import wire_time
from status.exchange import living
from status.models import Alert, AlertState, Board

MAX_ALERTS = 200


def alert_data(row: Alert) -> dict[str, Any]:
    """One alert, with its rule's words. `rule` and `acknowledged_by` are to be read with it."""
    by = row.acknowledged_by
    return {
        "id": row.pk,
        "alert": row.rule.name,
        "component": row.rule.component,
        "subject": row.subject,
        "text": row.rule.text,
        "severity": row.severity,
        "state": row.state,
        "value": row.value,
        "threshold": row.rule.threshold,
        "opened_at": wire_time(row.opened_at) if row.opened_at else None,
        "escalated_at": wire_time(row.escalated_at) if row.escalated_at else None,
        "acknowledged_at": wire_time(row.acknowledged_at) if row.acknowledged_at else None,
        "acknowledged_by": by.get_username() if by is not None else None,
        "closed_at": wire_time(row.closed_at) if row.closed_at else None,
        "ended": row.ended or None,
        "flaps": row.flaps,
        "tried": row.tried,
        "samples": row.samples,
    }


def open_alerts() -> list[dict[str, Any]]:
    rows = Alert.objects.filter(state=AlertState.OPEN).select_related("rule", "acknowledged_by")
    return [alert_data(row) for row in rows.order_by("-opened_at", "-pk")[:MAX_ALERTS]]


def health() -> dict[str, Any]:
    """As `system_status_update` says it, and the numbers. Before the first look: unknown."""
    board = Board.objects.get(pk=1)
    known = {"state": "unknown", "parts": {}, "texts": {}, "nodes": 0, "values": {}}
    return {**known, **board.view, "version": board.version}


def members() -> list[dict[str, Any]]:
    """The processes that are alive, with what each finds of itself."""
    return [
        {
            "id": row.pk,
            "kind": row.kind,
            "host": row.host,
            "pid": row.pid,
            "started_at": wire_time(row.started_at),
            "parts": {name: told["state"] for name, told in row.report.items()},
            "values": {
                f"{name}.{measure}": value
                for name, told in row.report.items()
                for measure, value in told["values"].items()
            },
        }
        for row in living().order_by("started_at", "id")
    ]


def described(component: Component) -> dict[str, Any]:
    """What a component is, for whoever shows it."""
    return {
        "name": component.name,
        "label": component.label,
        "scope": component.scope.value,
        "vital": component.vital,
        "every_s": component.every_s,
        "limit_s": component.limit_s,
        "meaning": {state.value: text for state, text in component.meaning.items()},
        "measures": [
            {
                "name": f"{component.name}.{measure.name}",
                "unit": measure.unit,
                "text": measure.text,
                "merge": measure.merge.value,
            }
            for measure in (STATE, *component.measures)
        ],
    }


def whole() -> dict[str, Any]:
    """Everything but history."""
    return {
        **health(),
        "components": [described(one) for one in components().values()],
        "alerts": open_alerts(),
        "members": members(),
    }


def status_snapshot(user: Any, stream: object) -> dict[str, Any]:
    """For who subscribes to `status`."""
    return whole()

"""Looking at the system: its state, its alerts, its history."""

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from pydantic.json_schema import model_json_schema
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.api.inputs import validated_input
from realtime.api.schema import query_parameters
from realtime.api.views import ApiView
from realtime.components import components
from realtime.protocol.catalogue import CATALOGUE
from realtime.protocol.errors import Forbidden
from realtime.protocol.payloads.shape import wire_time
from status import state
from status.alerts.acknowledging import acknowledge
from status.api.rights import MayReadStatus
from status.api.shapes import (
    AlertAnswer,
    AlertsAnswer,
    AlertsQuery,
    EventTypesAnswer,
    HealthAnswer,
    HistoryAnswer,
    HistoryQuery,
    LiveAnswer,
    MeasuresAnswer,
    NumbersAnswer,
    SystemAnswer,
)
from status.checking import check_now
from status.history import history
from status.models import Alert, AlertState
from status.totals import SCALE

PERMISSION = "status.change_alert"


class StatusView(ApiView):
    """Of everything that operators may see."""

    permission_classes = [MayReadStatus]


class WebSocketStatusView(StatusView):
    @extend_schema(operation_id="read_status", responses=NumbersAnswer)
    def get(self, request: Request) -> Response:
        """The state of the whole, and the numbers, at most a few seconds old."""
        return Response(state.health())


class LiveView(StatusView):
    @extend_schema(operation_id="read_live_status", responses=LiveAnswer)
    def get(self, request: Request) -> Response:
        """The state at present in one answer, for a wall or a script: no lists."""
        alerts = Alert.objects.filter(state=AlertState.OPEN).count()
        return Response({**state.health(), "alerts": alerts})


class MeasuresView(StatusView):
    @extend_schema(operation_id="read_measures", responses=MeasuresAnswer)
    def get(self, request: Request) -> Response:
        """What the components were last measured to be, with units."""
        values = state.health()["values"]
        told = [
            {**measure, "component": component.name, "value": values.get(measure["name"])}
            for component in components().values()
            for measure in state.described(component)["measures"]
        ]
        return Response({"measures": told})


class SystemView(StatusView):
    @extend_schema(operation_id="read_system", responses=SystemAnswer)
    def get(self, request: Request) -> Response:
        """Everything but history: components, open alerts, processes."""
        return Response(state.whole())


class HealthView(StatusView):
    @extend_schema(operation_id="read_health", responses=HealthAnswer)
    def get(self, request: Request) -> Response:
        """The state of each part."""
        found = state.health()
        del found["values"]
        return Response(found)


class HealthCheckView(StatusView):
    @extend_schema(operation_id="check_health", request=None, responses=HealthAnswer)
    def post(self, request: Request) -> Response:
        """Look at everything now; who follows `status` hears the answer as `health_check`."""
        return Response(check_now())


class AlertsView(StatusView):
    @extend_schema(
        operation_id="list_alerts",
        parameters=query_parameters(AlertsQuery),
        responses=AlertsAnswer,
    )
    def get(self, request: Request) -> Response:
        """Alerts, newest first."""
        query = validated_input(AlertsQuery, request.query_params.dict())
        wanted = ~Q(state=AlertState.PENDING) if query.state == "all" else Q(state=query.state)
        rows = Alert.objects.filter(wanted).select_related("rule", "acknowledged_by")
        found = rows.order_by("-opened_at", "-pk")[: query.limit]
        return Response({"alerts": [state.alert_data(row) for row in found]})


class AcknowledgeView(StatusView):
    @extend_schema(operation_id="acknowledge_alert", request=None, responses=AlertAnswer)
    def post(self, request: Request, alert_id: int) -> Response:
        """Say that you look after it; the first who does is kept."""
        user: Any = request.user
        if not (user.is_staff or user.has_perm(PERMISSION)):
            raise Forbidden(f"expected staff, or the permission {PERMISSION}")
        return Response(state.alert_data(acknowledge(alert_id, user)))


class HistoryView(StatusView):
    @extend_schema(
        operation_id="read_history",
        parameters=query_parameters(HistoryQuery),
        responses=HistoryAnswer,
    )
    def get(self, request: Request) -> Response:
        """What was measured between two moments, in steps; 5,000 points at most."""
        query = validated_input(HistoryQuery, request.query_params.dict())
        now = timezone.now()
        end = query.end or now
        begin = query.begin or end - timedelta(hours=1)
        found = history(query.measure, begin, end, query.step, now=now, member=query.member)
        points = [
            {
                "at": wire_time(point.at),
                "count": point.totals.number,
                "min": point.totals.low / SCALE,
                "max": point.totals.high / SCALE,
                "average": point.totals.average,
            }
            for point in found.points
        ]
        answer = {"measure": found.measure, "unit": found.unit, "step": found.step_s}
        return Response({**answer, "points": points})


class EventTypesView(ApiView):
    @extend_schema(operation_id="list_event_types", responses=EventTypesAnswer)
    def get(self, request: Request) -> Response:
        """Every type of event and signal, with the JSON Schema of what it carries."""
        types = [
            {
                "name": one.name,
                "durability": one.durability.value,
                "family": one.family.value,
                "streams": sorted(one.streams),
                "audience": one.audience,
                "data": model_json_schema(one.payload),
            }
            for one in CATALOGUE.values()
        ]
        return Response({"types": types})

"""Probes for supervisors and load balancers, which need no credentials and tell nothing else; and
the API and the pages for those who may see the system's state.

`counters` is for measuring: without DEBUG it is there for those alone who may read the status.
"""

from django.urls import include, path

from status import health, metrics
from status.api import connections, views

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("health/counters", health.counters),
    path("metrics", metrics.metrics),
    path("livez", health.live),
    path("readyz", health.ready),
    path("status/", include("status.pages.urls")),
]
api_urlpatterns = [
    path("websocket/status", views.WebSocketStatusView.as_view(), name="api-status"),
    path("websocket/status/system", views.SystemView.as_view(), name="api-status-system"),
    path("websocket/status/health", views.HealthView.as_view(), name="api-status-health"),
    path("websocket/status/health-check", views.HealthCheckView.as_view(), name="api-health-check"),
    path("websocket/status/alerts", views.AlertsView.as_view(), name="api-status-alerts"),
    path(
        "websocket/status/alerts/<int:alert_id>/acknowledge",
        views.AcknowledgeView.as_view(),
        name="api-alert-acknowledge",
    ),
    path("websocket/status/history", views.HistoryView.as_view(), name="api-status-history"),
    path("websocket/connections", connections.ConnectionsView.as_view(), name="api-connections"),
    path(
        "websocket/connections/<str:connection_id>",
        connections.ConnectionView.as_view(),
        name="api-connection",
    ),
    path(
        "websocket/maintenance/connections/cleanup",
        connections.CleanUpView.as_view(),
        name="api-connections-cleanup",
    ),
    path("websocket/metrics", metrics.MetricsView.as_view(), name="api-metrics"),
    path("status/metrics", views.MeasuresView.as_view(), name="api-status-metrics"),
    path("status/live", views.LiveView.as_view(), name="api-status-live"),
    path("status/connections", connections.CountsView.as_view(), name="api-status-connections"),
    path("websocket/events/types", views.EventTypesView.as_view(), name="api-event-types"),
]

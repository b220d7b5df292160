"""Addresses of the core. All three lists are included below `/api/`; the fallback comes last."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

import realtime.api.paths  # noqa: F401 - registers the converter `row`
from realtime.api.broadcasts import (
    ActiveBroadcastsView,
    BroadcastAcknowledgeView,
    BroadcastCancelView,
    BroadcastStatisticsView,
    BroadcastView,
    ProjectBroadcastView,
    SystemBroadcastView,
    UserBroadcastView,
)
from realtime.api.events import stream_events
from realtime.api.problems import api_not_found
from realtime.api.sessions import MeView, SessionsView
from realtime.api.tickets import websocket_tickets

_BROADCAST = "websocket/broadcast/"

api_urlpatterns = [
    path(f"{_BROADCAST}system", SystemBroadcastView.as_view(), name="api-broadcast-system"),
    path(
        f"{_BROADCAST}project/<row:project_id>",
        ProjectBroadcastView.as_view(),
        name="api-broadcast-project",
    ),
    path(f"{_BROADCAST}user/<row:user_id>", UserBroadcastView.as_view(), name="api-broadcast-user"),
    path(f"{_BROADCAST}stats", BroadcastStatisticsView.as_view(), name="api-broadcast-stats"),
    path(f"{_BROADCAST}active", ActiveBroadcastsView.as_view(), name="api-broadcasts-active"),
    path(f"{_BROADCAST}<row:broadcast_id>", BroadcastView.as_view(), name="api-broadcast"),
    path(
        f"{_BROADCAST}<row:broadcast_id>/cancel",
        BroadcastCancelView.as_view(),
        name="api-broadcast-cancel",
    ),
    path(
        f"{_BROADCAST}<row:broadcast_id>/acknowledge",
        BroadcastAcknowledgeView.as_view(),
        name="api-broadcast-acknowledge",
    ),
    path("sessions/", SessionsView.as_view(), name="api-sessions"),
    path("me/", MeView.as_view(), name="api-me"),
    path("streams/<str:stream>/events", stream_events, name="api-stream-events"),
    path("websocket/tickets", websocket_tickets, name="api-websocket-tickets"),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "docs/",
        # Split, and with a template of our own: nothing inline, so the strict CSP holds.
        SpectacularSwaggerSplitView.as_view(template_name="realtime/api_docs.html"),
        name="api-docs",
    ),
]
api_fallback_urlpatterns = [re_path(r"^(?P<path>.*)$", api_not_found, name="api-not-found")]

"""Addresses of the core. All three lists are included below `/api/`; the fallback comes last."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from realtime.api.events import stream_events
from realtime.api.problems import api_not_found
from realtime.api.sessions import MeView, SessionsView
from realtime.api.tickets import websocket_tickets

api_urlpatterns = [
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

"""Addresses of chat's API, below `/api/`."""

from django.urls import path

import realtime.api.paths  # noqa: F401 - registers the converter `row`
from chat.api.members import MembersView, MemberView
from chat.api.memories import MemoriesView, MemoryView
from chat.api.messages import MessagesView, MessageView
from chat.api.projects import ChatSessionsView, ProjectsView, ProjectView
from chat.api.proposals import ProposalAcceptView, ProposalDiscardView, ProposalsView
from chat.api.receipts import ReceiptsView
from chat.api.runs import AskView, RunAgainView, RunCancelView, RunView
from chat.api.similar import SimilarMemoriesView

_PROJECT = "projects/<row:project_id>/"

api_urlpatterns = [
    path("projects/", ProjectsView.as_view(), name="api-projects"),
    path(_PROJECT, ProjectView.as_view(), name="api-project"),
    path(f"{_PROJECT}sessions/", ChatSessionsView.as_view(), name="api-chat-sessions"),
    path(f"{_PROJECT}members/", MembersView.as_view(), name="api-members"),
    path(f"{_PROJECT}members/<row:user_id>/", MemberView.as_view(), name="api-member"),
    path(f"{_PROJECT}messages/", MessagesView.as_view(), name="api-messages"),
    path(f"{_PROJECT}messages/<row:message_id>/", MessageView.as_view(), name="api-message"),
    path(
        f"{_PROJECT}messages/<row:message_id>/receipts/",
        ReceiptsView.as_view(),
        name="api-receipts",
    ),
    path(f"{_PROJECT}ask/", AskView.as_view(), name="api-ask"),
    path(f"{_PROJECT}runs/<row:run_id>/", RunView.as_view(), name="api-run"),
    path(f"{_PROJECT}runs/<row:run_id>/again/", RunAgainView.as_view(), name="api-run-again"),
    path(f"{_PROJECT}runs/<row:run_id>/cancel/", RunCancelView.as_view(), name="api-run-cancel"),
    path(f"{_PROJECT}memories/", MemoriesView.as_view(), name="api-memories"),
    path(
        f"{_PROJECT}memories/similar/", SimilarMemoriesView.as_view(), name="api-similar-memories"
    ),
    path(f"{_PROJECT}proposals/", ProposalsView.as_view(), name="api-proposals"),
    path(
        f"{_PROJECT}proposals/<row:memory_id>/accept/",
        ProposalAcceptView.as_view(),
        name="api-proposal-accept",
    ),
    path(
        f"{_PROJECT}proposals/<row:memory_id>/discard/",
        ProposalDiscardView.as_view(),
        name="api-proposal-discard",
    ),
    path(f"{_PROJECT}memories/<row:memory_id>/", MemoryView.as_view(), name="api-memory"),
]

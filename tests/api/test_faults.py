"""Faults of ours: the operator gets the traceback, the user a problem without it."""

import logging
from typing import Any

import pytest
from django.db import OperationalError

from chat.actions import messages
from tests.api.conftest import ApiClient, Team, assert_problem

pytestmark = pytest.mark.django_db


def test_fault_is_logged_and_told_without_its_traceback(
    team: Team, member: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug of ours: the operator gets the traceback, the user a sentence."""

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(messages, "send_message", broken)
    with caplog.at_level(logging.ERROR):
        response = member.post(f"{team.path}messages/", {"body": "x"})
    body = assert_problem(response, 500, "internal")
    assert "secret" not in str(body)
    assert "secret detail" in caplog.text


def test_absent_database_is_unavailable(
    team: Team, member: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary, with a time to come back."""

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(messages, "send_message", away)
    response = member.post(f"{team.path}messages/", {"body": "x"})
    body = assert_problem(response, 503, "unavailable")
    assert body["temporary"] is True
    assert body["retry_after_ms"] == 1000
    assert response["Retry-After"] == "1"

"""The Content-Security-Policy of every answer."""

import asyncio
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from pm_project.security import HEADER, ContentSecurityPolicyMiddleware, policy


def test_policy_allows_only_this_host_and_its_sockets() -> None:
    """Nothing inline, nothing evaluated, nothing from elsewhere."""
    text = policy(RequestFactory().get("/", headers={"host": "localhost:8123"}))
    parts = dict(part.split(" ", 1) for part in text.split("; "))
    assert parts == {
        "default-src": "'self'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self' ws://localhost:8123",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }


def test_policy_over_tls_names_the_secure_socket() -> None:
    """A page that came by https may not open an insecure socket."""
    text = policy(RequestFactory().get("/", secure=True))
    assert "wss://testserver" in text
    assert " ws://" not in text


@pytest.mark.parametrize("path", ["/sign-in/", "/", "/projects/1/", "/no-such-page/"])
def test_every_answer_has_the_policy(path: str) -> None:
    """Pages, redirects and errors."""
    assert "default-src 'self'" in Client().get(path).headers[HEADER]


def test_asynchronous_answers_have_the_policy() -> None:
    """The same under ASGI."""
    answer = asyncio.run(_get("/sign-in/"))
    assert "default-src 'self'" in answer.headers[HEADER]


async def _get(path: str) -> Any:
    return await AsyncClient().get(path)


def test_view_may_set_a_policy_of_its_own() -> None:
    """The middleware fills in, it does not overwrite."""

    def answer(_: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={HEADER: "default-src 'none'"})

    response: Any = ContentSecurityPolicyMiddleware(answer)(RequestFactory().get("/"))
    assert response.headers[HEADER] == "default-src 'none'"

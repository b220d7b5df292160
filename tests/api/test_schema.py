"""The API's description of itself, and the page that shows it."""

import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

METHODS = {"get", "post", "put", "patch", "delete"}

# The address says it all, or who asks.
WITHOUT_BODY = (
    "/again/",
    "/cancel/",
    "/cancel",
    "/acknowledge",
    "/discard/",
    "/websocket/tickets",
    "/health-check",
    "/cleanup",
)
NOT_NUMBERED = {"stream", "connection_id"}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """As `manage.py spectacular` writes it; any warning or invalid part fails."""
    file = tmp_path_factory.mktemp("schema") / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(file))
    return yaml.safe_load(file.read_text())


def test_every_endpoint_is_described(schema: Any) -> None:
    """Each path below /api/ but the schema, its page and the fallback; the asynchronous one too."""
    patterns: list[Any] = get_resolver().url_patterns
    served = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/api/{pattern.pattern}")
        for resolver in patterns
        if str(resolver.pattern) == "api/"
        for pattern in resolver.url_patterns
        if pattern.name not in {"schema", "api-docs", "api-not-found"}
    }
    assert "/api/streams/{stream}/events" in served
    assert served <= set(schema["paths"])


def test_every_operation_is_typed_with_its_problems(schema: Any) -> None:
    """Bodies are named shapes, errors are problem details, ids are integers."""
    for path, operations in schema["paths"].items():
        if path in {"/api/schema/", "/api/docs/"}:
            continue
        for method in METHODS & operations.keys():
            operation = operations[method]
            where = f"{method} {path}"
            assert operation["operationId"], where
            assert operation["description"], where
            statuses = operation["responses"]
            assert {"400", "500", "503"} <= statuses.keys(), where
            assert ("404" in statuses) == ("{" in path), where
            for status, response in statuses.items():
                content = response.get("content", {})
                if status >= "400":
                    [shape] = [content["application/problem+json"]["schema"]]
                    assert shape == {"$ref": "#/components/schemas/Problem"}, where
                elif status != "204":
                    assert content["application/json"]["schema"]["$ref"], where
            if method in {"post", "patch", "put"} and not path.endswith(WITHOUT_BODY):
                body = operation["requestBody"]["content"]["application/json"]
                assert body["schema"]["$ref"], where
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] not in NOT_NUMBERED:
                    assert parameter["schema"]["type"] == "integer", where


def test_security_schemes_are_the_three_of_the_protocol(schema: Any) -> None:
    """Key, token and cookie; signing in needs none."""
    assert set(schema["components"]["securitySchemes"]) == {"apiKey", "sessionToken", "cookieAuth"}
    assert schema["paths"]["/api/sessions/"]["post"].get("security", [{}]) == [{}]


@pytest.mark.django_db
def test_docs_page_has_nothing_inline() -> None:
    """A strict Content-Security-Policy refuses inline scripts and styles."""
    client = Client()
    page = client.get("/api/docs/").content.decode()
    assert "<style" not in page
    assert " style=" not in page
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 3
    assert all("src=" in attributes and not text.strip() for attributes, text in scripts)
    script = client.get("/api/docs/", {"script": ""})
    assert script["Content-Type"].startswith("application/javascript")
    assert client.get("/api/schema/").status_code == 200

"""How the API describes itself: OpenAPI by drf-spectacular, shapes from the pydantic models.

Imported by `realtime.urls`, which registers the extensions.
"""

from typing import Any, Literal

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from pydantic import BaseModel
from pydantic.json_schema import model_json_schema

from realtime.api.problems import PROBLEM_TYPE, Problem

Direction = Literal["request", "response"]
_WRITES = {"POST", "PUT", "PATCH"}


def query_parameters(model: type[BaseModel]) -> list[OpenApiParameter]:
    """The fields of a query model as parameters of an operation."""
    schema = model_json_schema(model)
    required = set(schema.get("required", ()))
    return [
        OpenApiParameter(
            name,
            _present(found),
            OpenApiParameter.QUERY,
            required=name in required,
            description=str(found.get("description", "")),
        )
        for name, found in schema["properties"].items()
    ]


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is absent is not null: only the other alternative is described."""
    kept = {key: value for key, value in schema.items() if key not in {"anyOf", "title"}}
    for alternative in schema.get("anyOf", ()):
        if alternative != {"type": "null"}:
            kept |= alternative
    if kept.get("default", ...) is None:
        del kept["default"]
    return kept


class ApiSchema(AutoSchema):
    """Adds to every operation the problems that it may answer with; ids in paths are integers."""

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "in": "path",
                "name": name,
                "required": True,
                "schema": {"type": "integer", "minimum": 1},
            }
            for name in variables
        ]

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._problem_statuses():
            if status not in bodies:
                bodies[status] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                    Problem, status, [PROBLEM_TYPE], direction
                )
        return dict(sorted(bodies.items()))

    def _problem_statuses(self) -> list[str]:
        statuses = ["400", "401", "500", "503"]
        if "{" in self.path:
            statuses.append("404")
        if self.method != "GET":
            statuses += ["403", "409"]
        if self.method in _WRITES:
            statuses += ["413", "415"]
        return statuses


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "realtime.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "Api-Key <key>",
        }


class SessionTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "realtime.api.authentication.SessionTokenAuthentication"
    name = "sessionToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer"}


class CookieScheme(SessionScheme):  # type: ignore[no-untyped-call]
    """As that of the class which ours goes on from."""

    target_class = "realtime.api.authentication.CookieAuthentication"

"""From pydantic's findings to one sentence: expected ..., got ..."""

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from realtime.protocol.errors import BadRequest, RealtimeError, TooLarge

Model = TypeVar("Model", bound=BaseModel)

_SHOULD = re.compile(r"^(?:Input|String|Value|List|Dictionary|Tuple|Set) should (be |have )?")


def _shown(value: Any) -> str:
    """A short, printable account of what came; long texts by their length only."""
    if isinstance(value, str) and len(value) > 40:  # noqa: PLR2004 - a line of an error stays short
        return f"{len(value)} characters"
    if isinstance(value, dict | list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return ascii(value)[:60]


def as_error(error: ValidationError) -> RealtimeError:
    """The first finding as BadRequest, or TooLarge when only the length is wrong."""
    found = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in found["loc"]) or "input"
    if found["type"] == "missing":
        return BadRequest(f"{field}: expected a value, got none")
    message = found["msg"].removeprefix("Value error, ")
    if message.startswith("expected "):
        text = message
    else:
        text = "expected " + _SHOULD.sub("", message)
        text = text[: len("expected ")] + text[len("expected ") :][:1].lower() + text[10:]
    if ", got " not in text:
        text += f", got {_shown(found['input'])}"
    if found["type"] == "string_too_long":
        return TooLarge(f"{field}: {text}")
    return BadRequest(f"{field}: {text}")


def validated(model: type[Model], value: Any) -> Model:
    """`value` as the model. Raises BadRequest or TooLarge."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise as_error(error) from error

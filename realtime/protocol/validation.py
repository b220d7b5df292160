"""From pydantic's findings to one sentence: expected ..., got ..."""

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from realtime.protocol.errors import BadRequest, RealtimeError, TooLarge

Model = TypeVar("Model", bound=BaseModel)

_SHOULD = re.compile(r"^(?:Input|String|Value|List|Dictionary|Tuple|Set) should (be |have )?")
_AFTERWARDS = re.compile(r" after validation, not \d+$")
# pydantic's own messages speak Python here; clients speak JSON.
_IN_JSON = {
    "none_required": "null",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "an array",
    "tuple_type": "an array",
    "set_type": "an array",
    "dict_type": "an object",
    "mapping_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
# Where a field takes several types, pydantic adds the one that was tried to the field's path.
_TRIED = re.compile(r"(int|str|bool|float|constrained-\w+|[\w-]+\[.*\])")


def json_kind(value: Any) -> str:
    """What JSON calls a decoded value: null, true, false, number, string, array or object."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"


def shown(value: Any) -> str:
    """A short, printable account of what came; long texts by their length only."""
    if isinstance(value, str):
        # A line of an error stays short.
        return f"{len(value)} characters" if len(value) > 40 else ascii(value)  # noqa: PLR2004
    if isinstance(value, dict):
        return f"object of size {len(value)}"
    if isinstance(value, list | tuple):
        return f"array of length {len(value)}"
    if value is None or isinstance(value, bool):
        return json_kind(value)
    return ascii(value)[:60]


def as_error(error: ValidationError) -> RealtimeError:
    """The first finding as BadRequest, or TooLarge when only the length is wrong."""
    found = error.errors(include_url=False)[0]
    field = _path(found["loc"]) or "input"
    if found["type"] == "missing":
        return BadRequest(f"{field}: expected a value, got none")
    message = found["msg"].removeprefix("Value error, ")
    if message.startswith("expected "):
        text = message
    elif (in_json := _IN_JSON.get(found["type"])) is not None:
        text = f"expected {in_json}"
    else:
        text = "expected " + _AFTERWARDS.sub("", _SHOULD.sub("", message))
        text = text[: len("expected ")] + text[len("expected ") :][:1].lower() + text[10:]
    if ", got " not in text:
        text += f", got {shown(found['input'])}"
    if found["type"] == "string_too_long":
        return TooLarge(f"{field}: {text}")
    return BadRequest(f"{field}: {text}")


def _path(places: tuple[int | str, ...]) -> str:
    return ".".join(str(place) for place in places if not _TRIED.fullmatch(str(place)))


def validated(model: type[Model], value: Any) -> Model:
    """`value` as the model. Raises BadRequest or TooLarge."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise as_error(error) from error

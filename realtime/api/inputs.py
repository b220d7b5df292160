"""What clients send: read within bounds, checked against pydantic models, refused in one sentence.

Unknown fields are ignored, as everywhere in the protocol.
"""

from typing import IO, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from realtime.protocol.errors import BadRequest, RealtimeError, TooLarge
from realtime.protocol.frames import parsed_object
from realtime.protocol.payloads.shape import MAX_ID, Id
from realtime.protocol.validation import as_error

MAX_REQUEST_BYTES = 262_144  # the longest message, every character escaped, fits

# A larger number would fit no row and is an OverflowError in SQLite's driver.
RowId = Id
QueryRowId = Annotated[int, Field(ge=1, le=MAX_ID)]


class Input(BaseModel):
    """The base of what a client writes or asks for."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


class InputError(Exception):
    """Input that does not fit; `first` is what the answer's code and detail are made of."""

    def __init__(self, first: RealtimeError, errors: dict[str, list[str]]) -> None:
        super().__init__(first.message)
        self.first = first
        self.errors = errors


def _alone(error: ValidationError) -> list[RealtimeError]:
    """Each finding as an error of its own, in the words that sockets use for the first."""
    return [
        as_error(
            ValidationError.from_exception_data(
                error.title,
                [
                    InitErrorDetails(
                        type=PydanticCustomError(found["type"], found["msg"]),
                        loc=found["loc"],
                        input=found["input"],
                    )
                ],
            )
        )
        for found in error.errors(include_url=False)
    ]


def validated_input(model: type[Model], value: Any) -> Model:
    """`value` as the model. Raises InputError with every finding, by field."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = _alone(error)
        errors: dict[str, list[str]] = {}
        for one in found:
            field, _, text = one.message.partition(": ")
            errors.setdefault(field, []).append(text)
        raise InputError(found[0], errors) from error


def received(model: type[Model], request: Request) -> Model:
    """The request's body as the model. Raises InputError, BadRequest, TooLarge."""
    return validated_input(model, request.data)


class ObjectParser(BaseParser):
    """A JSON object of bounded size; DRF's own parser has no bound and fails on deep nesting."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Any = None,
    ) -> dict[str, Any]:
        """Raises BadRequest, TooLarge."""
        body: bytes = stream.read(MAX_REQUEST_BYTES + 1)
        if len(body) > MAX_REQUEST_BYTES:
            raise TooLarge(f"expected a body of at most {MAX_REQUEST_BYTES} bytes, got more")
        if not body:
            raise BadRequest("expected a JSON object, got an empty body")
        return parsed_object(body)

"""What is wrong with input is said in JSON's words: clients are written in any language."""

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

import chat.api.inputs
from chat import commands
from realtime.api import events, sessions
from realtime.api.inputs import Input, InputError, validated_input
from realtime.presence import commands as presence
from realtime.protocol.errors import BadRequest, RealtimeError
from realtime.protocol.frames import parsed_object
from realtime.protocol.payloads.chat import SentBody
from realtime.protocol.validation import validated
from realtime.sockets import acks, basics, subscribing
from realtime.sockets.commands import Command

MODULES = (acks, basics, commands, subscribing, presence, chat.api.inputs, events, sessions)
WRONG: tuple[Any, ...] = (
    None,
    True,
    False,
    7,
    0.5,
    -1,
    "",
    "x",
    [],
    [None],
    [[], {}],
    {},
    {"a": 1},
    "x" * 300,
)
STRANGERS: tuple[Any, ...] = (None, 1, [], "x")
PYTHON = re.compile(
    r"\b(None|NoneType|True|False|list|List|tuple|dict|Dict|dictionary|str|int|float|bool|boolean"
    r"|instance|function|constrained|items after)\b"
)

MODELS = sorted(
    {
        found
        for module in MODULES
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, Command | Input)
        and found.__module__ == module.__name__
    },
    key=lambda model: model.__name__,
)


def complaints(model: type[BaseModel], value: Any) -> list[str]:
    try:
        validated(model, value)
    except RealtimeError as error:
        socket = [error.message]
    else:
        return []
    with pytest.raises(InputError) as caught:
        validated_input(model, value)
    return [
        *socket,
        *(f"{at}: {text}" for at, all_ in caught.value.errors.items() for text in all_),
    ]


@pytest.mark.parametrize("model", MODELS)
def test_complaints_hold_no_words_of_python(model: type[BaseModel]) -> None:
    """Every field of every command and request, with values of every JSON type."""
    said = [text for value in STRANGERS for text in complaints(model, value)]
    for field in model.model_fields:
        said += [text for value in WRONG for text in complaints(model, {field: value})]
    assert said
    assert [text for text in said if PYTHON.search(text)] == []


class _Sample(Input):
    items: list[int] = []
    on: bool = False
    text: str = ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"items": None}, "items: expected an array, got null"),
        ({"items": {"a": 1, "b": 2}}, "items: expected an array, got object of size 2"),
        ({"on": [1, 2, 3]}, "on: expected true or false, got array of length 3"),
        ({"text": True}, "text: expected a valid string, got true"),
        ({"text": 0.5}, "text: expected a valid string, got 0.5"),
        ([], "input: expected an object, got array of length 0"),
    ],
)
def test_what_came_is_named_as_in_json(given: Any, said: str) -> None:
    """It said `None`, `dict of 2` and `True`."""
    with pytest.raises(BadRequest) as caught:
        validated(_Sample, given)
    assert caught.value.message == said


@pytest.mark.parametrize(
    ("text", "kind"),
    [("null", "null"), ("[1]", "array"), ("1.5", "number"), ('"x"', "string"), ("true", "true")],
)
def test_frame_that_is_no_object(text: str, kind: str) -> None:
    """The same for a frame, a request's body and an import's line as a whole."""
    assert not isinstance(json.loads(text), dict)
    with pytest.raises(BadRequest) as caught:
        parsed_object(text)
    assert caught.value.message == f"expected a JSON object, got {kind}"


@pytest.mark.parametrize("model", [chat.api.inputs.MessageInput, SentBody, commands.EditMessage])
def test_message_of_white_space_is_refused(model: type[BaseModel]) -> None:
    """By whichever way it comes; white space around a text is the author's own."""
    fields = {"message": 1} if model is commands.EditMessage else {}
    with pytest.raises(BadRequest) as caught:
        validated(model, {**fields, "body": " \t\r\n\u00a0\u2003"})
    assert caught.value.message == "body: expected text, got only white space"
    assert validated(model, {**fields, "body": "  x\n"}).model_dump()["body"] == "  x\n"

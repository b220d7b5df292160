"""The table of commands: name, shape, handler. Apps add theirs to it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from realtime.protocol.errors import UnknownCommand
from realtime.protocol.validation import shown
from realtime.tracing.correlation import Correlation, correlated
from realtime.tracing.spans import causing, spans


class Command(BaseModel):
    """The fields of a command beside `id` and `cmd`. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Caller(Protocol):
    """The connection that a command came on, as handlers may use it."""

    @property
    def user(self) -> Any: ...

    def cursor(self, stream: str) -> int:
        """The last seq written to this socket. Raises NotSubscribed."""

    def acknowledge(self, stream: str, seq: int) -> None:
        """Everything up to `seq` has arrived, as `ack` says it. Raises NotSubscribed."""


Shape = TypeVar("Shape", bound=Command)
# What a handler returns is the reply's data: JSON values, or its text when it is made already.
Handler = Callable[[Any, Any], Awaitable[dict[str, Any] | bytes]]


@dataclass(frozen=True, slots=True)
class Registered:
    name: str
    shape: type[Command]
    handler: Handler


_commands: dict[str, Registered] = {}


def register_command(
    name: str,
    shape: type[Shape],
    handler: Callable[[Any, Shape], Awaitable[dict[str, Any] | bytes]],
) -> None:
    """`handler(caller, command)` runs in the event loop and must not block it."""
    _commands[name] = Registered(name, shape, handler)


def commanded(connection: str, command: dict[str, Any]) -> AbstractContextManager[object]:
    """Act for this command of this connection inside: its id is `<connection>.<command's id>`."""
    made = f"{connection}.{command['id']}"
    if spans() is None:  # then all of the other is this
        return correlated(Correlation(made))
    name, attributes = _known_name(command.get("cmd")), {"connection": connection}
    return causing(f"command {name}", made=made, attributes=attributes)


def _known_name(name: object) -> str:
    """For what must not have more values than there are commands."""
    return name if isinstance(name, str) and name in _commands else "unknown"


def registered_command(name: object) -> Registered:
    """Raises UnknownCommand."""
    found = _commands.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(sorted(_commands))
        raise UnknownCommand(f"cmd: expected one of {known}, got {shown(name)}")
    return found

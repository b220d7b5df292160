"""What the bench must know of a server to start it, to join its rooms and to publish in them.

A peer is data and a command: the load generator speaks plain WebSocket and sends and expects what
the peer's scripts say. Imports nothing of the project.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

# In `Peer.message` they stand for the text of a message (ASCII letters, digits, `~`: nothing that
# JSON escapes) and for a reference that no other message of the run has.
BODY = "@BODY@"
REF = "@REF@"


@dataclass(frozen=True)
class Place:
    """Where a server runs. `folder` is its own and empty at first; `redis_url` is
    `redis://127.0.0.1:PORT/0`, shared by nobody at the time; `sockets` come at most, in as many
    rooms as one of `room_counts` says."""

    port: int
    redis_url: str
    folder: Path
    sockets: int
    room_counts: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Script:
    """How one socket joins: the path of its upgrade, headers (`Name: value`) beside the usual ones,
    and steps `(expected, text)`, one after another: wait until a text frame comes that contains
    `expected` (at once where that is empty), then send `text` as a text frame (nothing where that
    is empty). After the last step the socket is in its room."""

    path: str
    steps: tuple[tuple[str, str], ...] = ()
    headers: tuple[str, ...] = ()


class Peer:
    """One kind of server. Its modules define `PEER`, an object of a subclass."""

    # Of the command line and the results; letters, digits, dashes.
    name: ClassVar[str]
    # Of the report.
    title: ClassVar[str]
    # Text frames that must be answered, and the answer: keep-alives of the peer's own protocol.
    # Pings of WebSocket are always answered.
    answers: ClassVar[tuple[tuple[str, str], ...]] = ()
    # What a text frame contains that tells a writer that its message was refused; empty: nothing.
    refusal: ClassVar[str] = ""

    def missing(self) -> str | None:
        """None, or the command that installs what this machine lacks (it is printed)."""
        return None

    def versions(self) -> Mapping[str, str]:
        """Of what matters, as `{"node": "22.1.0", "ws": "8.18.0"}`."""
        raise NotImplementedError

    def prepare(self, place: Place) -> None:
        """What is done once before the server starts: configuration files, accounts."""

    def command(self, place: Place) -> Sequence[str]:
        """The server: one process (children are counted too), in the foreground, from the
        repository's root. It is ready when `place.port` on 127.0.0.1 accepts; ended by SIGTERM."""
        raise NotImplementedError

    def variables(self, place: Place) -> Mapping[str, str]:
        """Environment variables beside the inherited ones."""
        return {}

    def reader(self, number: int, room: int) -> Script:
        """Socket `number` (from 0) joins room `room` (from 0)."""
        raise NotImplementedError

    def writer(self, number: int, room: int) -> Script:
        """A socket that publishes in room `room`; whether it is in the room is the peer's matter.
        Default: as a reader. What it receives is thrown away."""
        return self.reader(number, room)

    def message(self, room: int) -> str:
        """The text frame that a writer sends to have BODY broadcast to everybody in the room; with
        BODY in it once, and REF where the peer wants one."""
        raise NotImplementedError

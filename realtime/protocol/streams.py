"""Names of streams: `project.<id>`, `user.<id>`, `system`, `status`."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from realtime.protocol.errors import BadRequest


class StreamKind(StrEnum):
    PROJECT = "project"
    USER = "user"
    SYSTEM = "system"
    STATUS = "status"


_NAME = re.compile(r"(?:(project|user)\.([1-9][0-9]{0,17})|(system|status))")


@dataclass(frozen=True, slots=True)
class StreamName:
    """A parsed name; `key` is the project's or the user's id, None for the two single streams."""

    kind: StreamKind
    key: int | None

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(text: str) -> "StreamName":
        """Raises BadRequest when the text names no possible stream."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise BadRequest(
                f"stream: expected project.<id>, user.<id>, system or status, got {text[:60]!r}"
            )
        if match[3]:
            return StreamName(StreamKind(match[3]), None)
        return StreamName(StreamKind(match[1]), int(match[2]))

    def __str__(self) -> str:
        return self.kind.value if self.key is None else f"{self.kind.value}.{self.key}"


def project_stream(project_id: int) -> str:
    return f"project.{project_id}"


def user_stream(user_id: int) -> str:
    return f"user.{user_id}"


def is_personal(stream: str) -> bool:
    """Whether this is the name of a person's own stream. As `StreamName.parse` would say, which
    keeps what it has parsed: not worth it for as many names as there are people."""
    return stream.startswith(f"{StreamKind.USER.value}.")


SYSTEM_STREAM = "system"
STATUS_STREAM = "status"

# Every person has a stream, and thousands of people come within a second: a group each would cost
# a SUBSCRIBE each. Together they carry few events, so nodes can take some that are not theirs.
USER_GROUPS = 64
_USER_GROUPS = tuple(f"users.{number}" for number in range(USER_GROUPS))  # one text for all


def group_of(stream: str) -> str:
    """The channel-layer group in which the hints of a stream go round.

    One for each stream, as `project.42`; the streams of people share `users.0` to `users.63`.
    """
    return (
        _USER_GROUPS[int(stream.partition(".")[2]) % USER_GROUPS] if is_personal(stream) else stream
    )

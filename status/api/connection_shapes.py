"""What is asked about open sockets, and what is answered."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from realtime.api.inputs import Input, QueryRowId
from realtime.fleet.sightings import MAX_SIGHTED

_NODE = "[0-9A-Za-z._-]{1,48}"


class ConnectionsQuery(Input):
    user_id: Annotated[QueryRowId | None, Field(description="of one person")] = None
    node: Annotated[str | None, Field(pattern=f"^{_NODE}$", description="of one node")] = None
    order: Annotated[
        Literal["newest", "behind", "buffered"], Field(description="which of them first")
    ] = "newest"
    limit: Annotated[int, Field(ge=1, le=MAX_SIGHTED, description="how many at most")] = 50


class CleanUpQuery(Input):
    stalled_s: Annotated[
        float | None,
        Field(
            ge=1,
            le=600,
            allow_inf_nan=False,
            description="so long a client took nothing; default: WEBSOCKET_SLOW_TIMEOUT",
        ),
    ] = None


class FollowedAnswer(BaseModel):
    """A stream; `lag` are the events of it that the socket has yet to be sent."""

    name: str
    state: Literal["live", "catching_up", "ended"]
    lag: int


class ConnectionAnswer(BaseModel):
    """`credential`: its kind alone; `streams_more`: how many are not shown; `buffered`: bytes."""

    id: str
    node: str
    user_id: int
    address: str
    open_s: float
    credential: str
    streams: list[FollowedAnswer]
    streams_more: int
    lag: int
    buffered: int


class ConnectionsAnswer(BaseModel):
    """`matching` of `total` fit the question, on the nodes that `answered`."""

    connections: list[ConnectionAnswer]
    total: int
    matching: int
    answered: list[str]
    silent: list[str]


class CountsAnswer(BaseModel):
    total: int
    by_node: dict[str, int]
    silent: list[str]


class CleanUpAnswer(BaseModel):
    """Sockets given up, by node."""

    closed: dict[str, int]
    silent: list[str]

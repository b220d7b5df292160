"""Who is here."""

from typing import Literal

from realtime.protocol.payloads.shape import Person, Shape


class PresenceChanged(Shape):
    user: Person
    state: Literal["online", "away", "busy", "offline"]
    nonce: str | None = None
    counter: int | None = None

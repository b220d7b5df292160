"""Frames that many sockets are sent alike, and what codecs made of them."""

from collections.abc import Callable, Sequence

Codec = Callable[[Sequence[bytes]], bytes]


class Batch(list[bytes]):
    """A list of frames, not changed any more. What a codec writes for all of them together is
    made for the first socket that needs it and shared by the others."""

    __slots__ = ("_forms",)

    def __init__(self, frames: Sequence[bytes]) -> None:
        super().__init__(frames)
        self._forms: dict[Codec, bytes] = {}

    def form(self, codec: Codec) -> bytes:
        """`codec` must be a named function: it is the key under which the bytes are kept."""
        form = self._forms.get(codec)
        if form is None:
            form = self._forms[codec] = codec(self)
        return form

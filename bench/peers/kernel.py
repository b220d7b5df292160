"""The limit of the kernel: a bare loop of send(2) in C, one call per message and socket."""

from collections.abc import Mapping, Sequence

from bench.load import compiler
from bench.peers.peer import BODY, Peer, Place, Script


class Kernel(Peer):
    """`load/blast.c`. It has no log, no database, no rights and no queue."""

    name = "kernel"
    title = "bare send(2) loop in C"

    def missing(self) -> str | None:
        return None if compiler.compiler() is not None else compiler.INSTALL

    def versions(self) -> Mapping[str, str]:
        return {"compiler": compiler.version()}

    def command(self, place: Place) -> Sequence[str]:
        return [str(compiler.program("blast")), str(place.port)]

    def reader(self, number: int, room: int) -> Script:
        return Script(f"/{room}")

    def writer(self, number: int, room: int) -> Script:
        return Script(f"/{room}/writer")

    def message(self, room: int) -> str:
        return BODY


class KernelJoined(Kernel):
    """The same with eight messages in one send(2): what the generator can take is measured so."""

    name = "kernel-joined"
    title = "bare send(2) loop in C, 8 messages a call"

    def command(self, place: Place) -> Sequence[str]:
        return [*super().command(place), "8"]


PEER = Kernel()

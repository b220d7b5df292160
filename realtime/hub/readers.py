"""Who may read an open stream, so that a resume served from memory need not ask the database."""

from collections.abc import Collection, Iterable

from realtime.log.entries import EVERYONE, Entry
from realtime.registry import Everyone


class Readers:
    """People known to have the right to read *as of the stream's `last`*, no more than that.

    Loaded in the snapshot that also read the head, and moved by the entries that end rights as
    they pass `last`. It may lack people (newcomers; all, after a jump or a reset): they are
    looked up in the database, and `admit`ted. It never has one too many, as of `last`.
    """

    __slots__ = ("_everyone", "_kept", "_known")

    def __init__(self, loaded: Collection[int] | Everyone | None = None) -> None:
        """None: readers of this kind of stream are not kept, everyone is looked up."""
        self._everyone = isinstance(loaded, Everyone)
        self._kept = loaded is not None
        found = () if loaded is None or isinstance(loaded, Everyone) else loaded
        # A person's own stream has one reader, and there are as many of those as people.
        self._known: set[int] | tuple[int, ...] = {*found} if len(found) > 1 else tuple(found)

    def __contains__(self, user_id: int) -> bool:
        return self._everyone or user_id in self._known

    def admit(self, user_id: int) -> None:
        """Somebody's right was read at or after `last`."""
        if self._kept and user_id not in self._known:
            self._writable().add(user_id)

    def _writable(self) -> set[int]:
        if isinstance(self._known, tuple):
            self._known = set(self._known)
        return self._known

    def move(self, entries: Iterable[Entry]) -> None:
        """`last` passes these entries."""
        for entry in entries:
            if entry.ends is None:
                continue
            if entry.ends == EVERYONE:
                self._everyone = False
                self._known = ()
            elif entry.ends.startswith("user."):
                self._writable().discard(int(entry.ends.removeprefix("user.")))

    def forget(self) -> None:
        """`last` jumped over entries that were not seen."""
        self._known = ()

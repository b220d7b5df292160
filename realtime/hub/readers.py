"""Who may read an open stream, so that a resume served from memory need not ask the database."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence

from realtime.log.entries import EVERYONE, Entry
from realtime.registry import Everyone


class Readers:
    """People known to have the right to read *as of the stream's `last`*, no more than that.

    Loaded in the snapshot that also read the head, and moved by the entries that end rights as
    they pass `last`. It may lack people (newcomers; all, after a jump or a reset): they are
    looked up in the database, and `admit`ted. It never has one too many, as of `last`.
    """

    __slots__ = ("_changes", "_everyone", "_kept", "_loaded")

    def __init__(self, loaded: Collection[int] | Everyone | None = None) -> None:
        """None: readers of this kind of stream are not kept, everyone is looked up."""
        self._everyone = isinstance(loaded, Everyone)
        self._kept = loaded is not None
        found = () if loaded is None or isinstance(loaded, Everyone) else loaded
        # In order, 8 bytes each, where a set takes 50 to 100. A person's own stream has one
        # reader, and there are as many of those as people.
        self._loaded: Sequence[int] = array("q", sorted(found)) if len(found) > 1 else tuple(found)
        # Since then: who came, and who of those loaded went.
        self._changes: tuple[set[int], set[int]] | None = None

    def __contains__(self, user_id: int) -> bool:
        if self._everyone:
            return True
        if self._changes is not None:
            added, removed = self._changes
            if user_id in added or user_id in removed:
                return user_id in added
        return self._was_loaded(user_id)

    def _was_loaded(self, user_id: int) -> bool:
        at = bisect_left(self._loaded, user_id)
        return at < len(self._loaded) and self._loaded[at] == user_id

    def _change(self) -> tuple[set[int], set[int]]:
        if self._changes is None:
            self._changes = (set(), set())
        return self._changes

    def admit(self, user_id: int) -> None:
        """Somebody's right was read at or after `last`."""
        if self._kept and user_id not in self:
            added, removed = self._change()
            removed.discard(user_id)
            if not self._was_loaded(user_id):
                added.add(user_id)

    def _remove(self, user_id: int) -> None:
        if user_id in self:
            added, removed = self._change()
            added.discard(user_id)
            if self._was_loaded(user_id):
                removed.add(user_id)

    def move(self, entries: Iterable[Entry]) -> None:
        """`last` passes these entries."""
        for entry in entries:
            if entry.ends is None:
                continue
            if entry.ends == EVERYONE:
                self._everyone = False
                self.forget()
            elif entry.ends.startswith("user."):
                self._remove(int(entry.ends.removeprefix("user.")))

    def forget(self) -> None:
        """`last` jumped over entries that were not seen."""
        self._loaded = ()
        self._changes = None

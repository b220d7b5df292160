"""What readers of `status` on this node hear of the whole: signals, of which any may be lost.

A change is signalled by the node that found it, to all. Where that did not arrive, the version on
the board says so a moment later, and this node tells its own readers.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from realtime.log.signalling import signal, signal_here
from realtime.protocol.streams import STATUS_STREAM
from status.channels.in_app import ALERT

if TYPE_CHECKING:
    from realtime.node import Node

UPDATE = "system_status_update"
_HEALTH = ("state", "parts", "texts", "nodes")


class Teller:
    """Belongs to one node's loop. Nothing here waits."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._version = -1
        self._own_parts: Mapping[str, str] | None = None

    @property
    def watched(self) -> bool:
        """Whether anybody follows `status` here."""
        stream = self._node.hub.streams.get(STATUS_STREAM)
        return stream is not None and bool(stream.audience)

    def changed(self, view: Mapping[str, Any], version: int) -> None:
        """This node found that the whole is another one."""
        self._version, self._own_parts = version, None
        signal(STATUS_STREAM, UPDATE, _health(view, version), after=0)

    def heard(self, stream: str, data: Mapping[str, Any]) -> None:
        """An update has come to this node, whoever made it: its readers have it."""
        if stream == STATUS_STREAM and data.get("version") is not None:
            self._version, self._own_parts = data["version"], None

    def board(self, view: Mapping[str, Any], version: int) -> None:
        """What stands on the board, as of now: told where it is newer, and its numbers always."""
        if version != self._version:
            first = self._version == -1
            self._version, self._own_parts = version, None
            if not first and self.watched:
                signal_here(STATUS_STREAM, UPDATE, _health(view, version), after=0)
        if self.watched:
            signal_here(STATUS_STREAM, "metrics_update", {"values": view["values"]}, after=0)

    def alone(self, view: Mapping[str, Any]) -> None:
        """The board cannot be read: readers hear what this node sees by itself."""
        if view["parts"] != self._own_parts:
            self._own_parts = dict(view["parts"])
            # Never the board's: whatever stands there later is told again.
            self._version = -2
            signal_here(STATUS_STREAM, UPDATE, _health(view, None), after=0)

    def ahead(self, alert: Mapping[str, Any]) -> None:
        """An alert that cannot be written yet; its event follows when it can."""
        signal_here(STATUS_STREAM, ALERT, dict(alert), after=0)


def _health(view: Mapping[str, Any], version: int | None) -> dict[str, Any]:
    return {**{name: view[name] for name in _HEALTH}, "version": version}

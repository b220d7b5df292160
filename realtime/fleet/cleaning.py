"""Tidying up at an operator's word: what each node would do by itself a while later."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.node import Node


def cleaned(node: "Node", *, stalled_s: float) -> int:
    """Give up the sockets whose peers have taken nothing for so long; how many there were.

    The registry's list of this node is written afresh with its next look, a second later at most.
    """
    given_up = sum(one.abandon_stalled(stalled_s) for one in list(node.connections))
    node.fleet.list_anew()
    return given_up

"""Waiting for a stream to move, for readers that have no socket."""

from realtime.node import current_node


async def wait_beyond(stream: str, seq: int, timeout_s: float) -> bool:
    """Wait until the stream holds an event above `seq`; False when the time is over first.

    The caller has checked the right to read. Raises NotFound, Unavailable.
    """
    node = await current_node()
    return await (await node.hub.open(stream)).beyond(seq, timeout_s)

"""Waiting for a stream to move, for readers that have no socket."""

import asyncio

from realtime.node import current_node


async def wait_beyond(stream: str, seq: int, timeout_s: float) -> bool:
    """Wait until the stream holds an event above `seq`; False when the time is over first, or when
    this node is about to stop: the reader asks again, and reaches another one.

    The caller has checked the right to read. Raises NotFound, Unavailable.
    """
    node = await current_node()
    opened = await node.hub.open(stream)
    waiting = asyncio.ensure_future(opened.beyond(seq, timeout_s))
    leaving = asyncio.ensure_future(node.moment_to_leave())
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.done() and waiting.result()
    finally:
        waiting.cancel()
        leaving.cancel()

"""How often one person may ask how one run stands: twice a second, on each node."""

import time
from collections import OrderedDict, deque

from realtime.protocol.errors import RateLimited

PER_S = 2
LIMIT = 10_000  # pairs of person and run remembered; the longest unasked are forgotten

_asked: OrderedDict[tuple[int, int], deque[float]] = OrderedDict()


def admit(user_id: int, run_id: int) -> None:
    """Raises RateLimited."""
    now = time.monotonic()
    times = _asked.setdefault((user_id, run_id), deque(maxlen=PER_S))
    _asked.move_to_end((user_id, run_id))
    if len(_asked) > LIMIT:
        _asked.popitem(last=False)
    if len(times) == PER_S and now - times[0] < 1.0:
        wait_ms = max(1, round((1.0 - (now - times[0])) * 1000))
        raise RateLimited(f"expected at most {PER_S} a second for a run", retry_after_ms=wait_ms)
    times.append(now)

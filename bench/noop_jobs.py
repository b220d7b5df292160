"""Jobs that do next to nothing, for `bench.jobs`."""

import os
import time
from pathlib import Path

from realtime.jobs import JobContext, job


@job(name="bench.nothing")
async def nothing(context: JobContext) -> None:
    """Nothing: what remains is the queue's own cost."""


@job(name="bench.note_start")
async def note_start(context: JobContext, *, at: float) -> None:
    """Seconds from the call of `enqueue` to here, a line each in the file BENCH_STARTS."""
    with Path(os.environ["BENCH_STARTS"]).open("a") as file:  # noqa: ASYNC230 - a line in a local file
        file.write(f"{time.time() - at:.6f}\n")

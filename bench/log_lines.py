"""What a log line costs, in microseconds of CPU: `python -m bench.log_lines`.

The line of `logging` alone, ours for people and as JSON, each with and without a cause, and the
same by structlog's `ProcessorFormatter`, which ours spares; then what a cause costs a command.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from structlog.stdlib import ProcessorFormatter

from realtime.sockets.commands import commanded
from realtime.tracing.correlation import Correlation, correlated
from realtime.tracing.logs import LINE, JsonFormatter, LineFormatter

LINES = 3_000
ROUNDS = 15


def best_us(work: Callable[[], None]) -> float:
    """Of the rounds, by the CPU time of this process."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(LINES):
            work()
        times.append((time.process_time() - began) / LINES)
    return min(times) * 1e6


def line_us(formatter: logging.Formatter) -> float:
    logger = logging.getLogger("bench.line")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    with Path(os.devnull).open("w") as nowhere:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        found = best_us(lambda: logger.info("closed connection=%s code=%s", "0123456789abcd", 1000))
        logger.removeHandler(handler)
    return found


def chained(*last: structlog.typing.Processor) -> ProcessorFormatter:
    """structlog's own wiring for records of `logging`."""
    return ProcessorFormatter(
        processors=[ProcessorFormatter.remove_processors_meta, *last],
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso"),
        ],
    )


def command() -> None:
    with commanded("0123456789abcd", {"id": 3, "cmd": "ping"}):
        pass


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pm_project.settings")
    formatters = {
        "logging's own": logging.Formatter(LINE, style="{"),
        "LOG_FORMAT=line": LineFormatter(),
        "LOG_FORMAT=json": JsonFormatter(),
        "ProcessorFormatter, logfmt": chained(structlog.processors.LogfmtRenderer()),
        "ProcessorFormatter, JSON": chained(structlog.processors.JSONRenderer()),
    }
    for threads in (True, False):
        logging.logThreads = logging.logProcesses = logging.logMultiprocessing = threads
        print(f"thread and process looked up: {threads}")
        for name, formatter in formatters.items():
            without = line_us(formatter)
            with correlated(Correlation("0123456789abcd.3")):
                print(f"  {name:<28}{without:6.2f}, with a cause {line_us(formatter):6.2f}")
    print(f"a cause around a command {best_us(command):6.2f}")


if __name__ == "__main__":
    main()

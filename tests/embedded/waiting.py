"""Waits for conditions on real processes, with a deadline instead of a sleep for luck."""

import time
from collections.abc import Callable
from typing import TypeVar

import psutil

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], *, timeout_s: float = 5.0, what: str) -> Found:
    """The first true value of `condition`. Raises AssertionError saying `what` never came."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"expected {what} within {timeout_s:g} s"
        time.sleep(0.02)
    return found


def gone(pid: int) -> bool:
    """Whether no process of that pid runs; one that only waits to be reaped counts as gone."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True

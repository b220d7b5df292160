"""What apps want done once a second, without timers of their own."""

from collections.abc import Awaitable, Callable, Sequence

Sweep = Callable[[], Awaitable[None]]

_sweeps: list[Sweep] = []


def register_sweep(sweep: Sweep) -> None:
    """Called once a second in the event loop of each node, and once more before it stops."""
    _sweeps.append(sweep)


def registered_sweeps() -> Sequence[Sweep]:
    return _sweeps

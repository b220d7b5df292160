"""What the apps give to the core, so that the core need not know them.

Apps register in their `AppConfig.ready`: who may read a kind of stream, what a stream's present
state is, which commands its sockets take. Everything registered runs in a database thread, inside
a transaction where its docstring says so.
"""

from collections.abc import Callable
from typing import Any

from realtime.protocol.streams import StreamKind, StreamName

ReaderCheck = Callable[[Any, StreamName], bool]
SnapshotProvider = Callable[[Any, StreamName], dict[str, Any]]

_reader_checks: dict[StreamKind, ReaderCheck] = {}
_snapshots: dict[StreamKind, SnapshotProvider] = {}


def register_reader_check(kind: StreamKind, check: ReaderCheck) -> None:
    """`check(user, stream)` runs inside the database snapshot that also reads the head."""
    _reader_checks[kind] = check


def register_snapshot(kind: StreamKind, provider: SnapshotProvider) -> None:
    """`provider(user, stream)` gives the state as JSON values, inside the head's snapshot."""
    _snapshots[kind] = provider


def _reads_own_stream(user: Any, stream: StreamName) -> bool:
    return bool(user.pk == stream.key)


def _signed_in(user: Any, stream: StreamName) -> bool:
    return bool(user.is_authenticated)


register_reader_check(StreamKind.USER, _reads_own_stream)
register_reader_check(StreamKind.SYSTEM, _signed_in)


def may_read(user: Any, stream: StreamName) -> bool:
    """Whether `user` may read `stream` now; kinds without a check are closed."""
    check = _reader_checks.get(stream.kind)
    return check is not None and check(user, stream)


def snapshot_of(user: Any, stream: StreamName) -> dict[str, Any]:
    """The stream's present state for this reader; {} where nothing is registered."""
    provider = _snapshots.get(stream.kind)
    return provider(user, stream) if provider is not None else {}

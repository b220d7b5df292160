"""What the apps give to the core, so that the core need not know them.

Apps register in their `AppConfig.ready`: who may read a kind of stream, what a stream's present
state is, which commands its sockets take. Everything registered runs in a database thread, inside
a transaction where its docstring says so.
"""

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from realtime.protocol.streams import StreamKind, StreamName

if TYPE_CHECKING:
    from realtime.node import Node

ReaderCheck = Callable[[Any, StreamName], bool]
SnapshotProvider = Callable[[Any, StreamName], dict[str, Any]]
RunsProvider = Callable[[Any, StreamName], list[dict[str, Any]]]


class Everyone:
    """The readers of a stream that everyone who is signed in may read."""


ReadersProvider = Callable[[Sequence[StreamName]], Mapping[StreamName, Collection[int] | Everyone]]

# The ids of those who are to be reached through a stream now, as a QuerySet of plain values.
PeopleQuery = Callable[[StreamName], Any]
SpeakerCheck = Callable[[Any, StreamName], None]

Companion = Callable[[], AbstractContextManager[object]]

Background = Callable[["Node | None"], Coroutine[Any, Any, None]]

_backgrounds: dict[str, Background] = {}
_companions: dict[str, Companion] = {}
_reader_checks: dict[StreamKind, ReaderCheck] = {}
_snapshots: dict[StreamKind, SnapshotProvider] = {}
_runs: dict[StreamKind, RunsProvider] = {}
_readers: dict[StreamKind, ReadersProvider] = {}
_people: dict[StreamKind, PeopleQuery] = {}
_speakers: dict[StreamKind, SpeakerCheck] = {}
_snapshot_parts: list[SnapshotProvider] = []


def register_reader_check(kind: StreamKind, check: ReaderCheck) -> None:
    """`check(user, stream)` runs inside the database snapshot that also reads the head."""
    _reader_checks[kind] = check


def register_readers(kind: StreamKind, provider: ReadersProvider) -> None:
    """`provider(streams)` gives the ids of those who pass the reader check of each stream, inside
    the snapshot that also reads the heads; it may leave people and streams out, but never add one.

    Only for kinds whose rights end by events of the stream itself (`Event.ends`).
    """
    _readers[kind] = provider


def register_snapshot(kind: StreamKind, provider: SnapshotProvider) -> None:
    """`provider(user, stream)` gives the state as JSON values, inside the head's snapshot."""
    _snapshots[kind] = provider


def register_snapshot_part(provider: SnapshotProvider) -> None:
    """`provider(user, stream)` adds its names to the snapshot of every kind of stream."""
    _snapshot_parts.append(provider)


def register_runs(kind: StreamKind, provider: RunsProvider) -> None:
    """`provider(user, stream)` gives `runs` of a subscribe reply, inside the head's snapshot."""
    _runs[kind] = provider


def _reads_own_stream(user: Any, stream: StreamName) -> bool:
    return bool(user.pk == stream.key)


def _signed_in(user: Any, stream: StreamName) -> bool:
    return bool(user.is_authenticated)


def _owners(streams: Sequence[StreamName]) -> dict[StreamName, Collection[int]]:
    return {stream: [stream.key or 0] for stream in streams}


def _everyone(streams: Sequence[StreamName]) -> dict[StreamName, Everyone]:
    return dict.fromkeys(streams, Everyone())


register_reader_check(StreamKind.USER, _reads_own_stream)
register_readers(StreamKind.USER, _owners)
register_reader_check(StreamKind.SYSTEM, _signed_in)
register_readers(StreamKind.SYSTEM, _everyone)


def may_read(user: Any, stream: StreamName) -> bool:
    """Whether `user` may read `stream` now; kinds without a check are closed."""
    check = _reader_checks.get(stream.kind)
    return check is not None and check(user, stream)


def register_audience(kind: StreamKind, people: PeopleQuery, check: SpeakerCheck) -> None:
    """`people(stream)` are those who are addressed by what is said there now. `check(user, stream)`
    raises NotFound or Forbidden where the user may not speak to all of them."""
    _people[kind] = people
    _speakers[kind] = check


def snapshot_of(user: Any, stream: StreamName) -> dict[str, Any]:
    """The stream's present state for this reader; {} where nothing is registered."""
    provider = _snapshots.get(stream.kind)
    found = provider(user, stream) if provider is not None else {}
    for part in _snapshot_parts:
        found = {**found, **part(user, stream)}
    return found


def people_of(stream: StreamName) -> Any:
    """Raises LookupError for a kind that nobody speaks to."""
    return _people[stream.kind](stream)


def require_speaker(user: Any, stream: StreamName) -> None:
    """Raises NotFound, Forbidden; LookupError for a kind that nobody speaks to."""
    _speakers[stream.kind](user, stream)


def runs_of(user: Any, stream: StreamName) -> list[dict[str, Any]] | None:
    """What is under way in the stream; None where its kind has no such thing."""
    provider = _runs.get(stream.kind)
    return provider(user, stream) if provider is not None else None


def readers_of(streams: Sequence[StreamName]) -> dict[StreamName, Collection[int] | Everyone]:
    """Who is known to be allowed to read each stream; kinds without a provider are left out."""
    found: dict[StreamName, Collection[int] | Everyone] = {}
    for kind, provider in _readers.items():
        wanted = [stream for stream in streams if stream.kind is kind]
        if wanted:
            found.update(provider(wanted))
    return found


def register_companion(name: str, companion: Companion) -> None:
    """`companion()` keeps a process of the app running while it is entered; it must not wait.

    `serve` and `work` enter all of them, in their main processes, each on its machine; which of
    several keeps the process is the companion's business.
    """
    _companions[name] = companion


def companions() -> list[AbstractContextManager[object]]:
    """Those that are registered, to be entered once."""
    return [companion() for companion in _companions.values()]


def register_background(name: str, background: Background) -> None:
    """`background(node)` is run as a task of each node, and of each worker with None, until that
    stops: it is then cancelled, and waited for a moment. It handles its own errors."""
    _backgrounds[name] = background


def backgrounds(node: "Node | None") -> list[Coroutine[Any, Any, None]]:
    """Those that are registered, to be run once in this process."""
    return [background(node) for background in _backgrounds.values()]

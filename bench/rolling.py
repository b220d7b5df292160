"""What clients notice of a deploy: `python -m bench.rolling`.

Two real nodes on a database and a Valkey of their own, readers and writers on both, and a restart
of one node after the other. The clients are the tests' own (tests/faults), which know nothing but
the protocol document. PostgreSQL: `python -m tests.postgres -- python -m bench.rolling`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.rolling import Load, Record, roll


def main() -> int:
    """Print the table; status 1 when anything was lost, repeated, reordered or made up."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual = Load()
    parser.add_argument("--readers", type=int, default=usual.readers)
    parser.add_argument("--writers", type=int, default=usual.posters)
    parser.add_argument("--every-ms", type=float, default=usual.every_s * 1000, help="per writer")
    parser.add_argument(
        "--window", type=float, default=usual.window_s, help="DRAIN_WINDOW, seconds"
    )
    given = parser.parse_args()
    load = Load(given.readers, given.writers, given.every_ms / 1000, given.window)
    with tempfile.TemporaryDirectory() as folder:
        record = roll(Path(folder), load, lambda line: print(line, flush=True))
    print()
    for name, value in _rows(load, record):
        print(f"{name:44} {value}")
    return 1 if sum(_faults(record)) else 0


def _faults(record: Record) -> tuple[int, int, int, int]:
    return record.lost(), record.repeated(), record.reordered(), record.phantom()


def _rows(load: Load, record: Record) -> list[tuple[str, str]]:
    excess_ms = sorted(move.excess_s * 1000 for move in record.moves)
    faults = "  ".join(str(count) for count in _faults(record))
    deliveries = sum(len(reader.seqs) for reader in record.readers)
    return [
        ("readers, writers", f"{load.readers}, {load.posters}"),
        ("messages posted, deliveries", f"{len(record.posted)}, {deliveries}"),
        ("lost, repeated, reordered, phantom", faults),
        ("moves to another node", str(len(record.moves))),
        (
            "wait beyond the announced delay: p50 / p99",
            f"{_at(excess_ms, 50)} / {_at(excess_ms, 99)} ms",
        ),
        ("wait beyond the announced delay: worst", f"{_at(excess_ms, 100)} ms"),
        ("close codes", ", ".join(f"{code}: {n}" for code, n in sorted(record.codes.items()))),
        (
            f"stops (window {load.window_s:g} s)",
            ", ".join(f"{s.took_s:.1f} s, status {s.status}" for s in record.stops),
        ),
    ]


def _at(values: Sequence[float], percent: int) -> str:
    if not values:
        return "-"
    return f"{values[min(len(values) - 1, len(values) * percent // 100)]:.0f}"


if __name__ == "__main__":
    raise SystemExit(main())

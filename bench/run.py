"""`python -m bench.run`: every server through every scenario, one after the other, in rounds.

The server has one core, the generator, the publisher and Valkey another. Writes
`bench/results/DATE.json`, then the report. Takes about 15 minutes; `--quick` about 4.
"""

import argparse
import importlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from bench import preflight
from bench.measures.capacity import capacity
from bench.peers import Peer, all_peers
from bench.peers.peer import Place
from bench.publishes import publishes
from bench.record import Record
from bench.round import Round
from bench.scenarios import Scenario, all_scenarios, most_sockets, room_counts
from bench.valkey import running_valkey

PORT = 18700
# The server's, Valkey's, and that of the node which the storm kills.
PORTS = 3
# A name beside the scenarios' own: it needs no server and no peer.
PUBLISHES = "publishes"

Named = TypeVar("Named")


def chosen(option: str, text: str | None, known: Mapping[str, Named]) -> dict[str, Named]:
    """What a list of names stands for, in the order of `known`. Raises SystemExit."""
    if text is None:
        return dict(known)
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise SystemExit(
            f"{option}: expected names of {', '.join(known)}, got {', '.join(unknown) or text!r}"
        )
    return {name: value for name, value in known.items() if name in names}


def rounds(scenarios: Sequence[Scenario], peer: str) -> list[list[Scenario]]:
    """What a peer goes through in the first round, the second, ..."""
    mine = [scenario for scenario in scenarios if scenario.serves(peer)]
    most = max((scenario.repeats for scenario in scenarios), default=0)
    return [[one for one in mine if one.repeats >= number] for number in range(1, most + 1)]


def measure(
    peers: Mapping[str, Peer], scenarios: Sequence[Scenario], record: Record, port: int
) -> None:
    """All of it. Peers take turns within a round, so that what the machine does meanwhile falls on
    all of them."""
    cores = preflight.cores()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pm-bench-")))
        redis_url = stack.enter_context(running_valkey(folder, port + 1, core=cores[1]))
        begin = time.monotonic()
        record["generator"] = capacity(folder, port, redis_url, cores)
        record["versions"] = {name: dict(peer.versions()) for name, peer in peers.items()}
        places: dict[str, Place] = {}
        for name, peer in peers.items():
            own = [scenario for scenario in scenarios if scenario.serves(name)]
            if not own:
                continue
            (folder / name).mkdir()
            places[name] = Place(
                port, redis_url, folder / name, most_sockets(own), room_counts(own)
            )
            peer.prepare(places[name])
        record.took("preparation", time.monotonic() - begin)
        plans = {name: rounds(scenarios, name) for name in places}
        for number in range(max((len(plan) for plan in plans.values()), default=0)):
            for name, plan in plans.items():
                Round(peers[name], places[name], cores, record).run(plan[number], number + 1)


def parsed_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help=f"names separated by commas: {', '.join(all_peers())}")
    parser.add_argument(
        "--scenarios",
        help=f"names separated by commas: {', '.join([*all_scenarios(), PUBLISHES])}",
    )
    parser.add_argument("--quick", action="store_true", help="shorter, smaller, once")
    parser.add_argument("--port", type=int, default=PORT, help="the first of three")
    parser.add_argument("--results", type=Path, help="default: bench/results/DATE.json")
    parser.add_argument("--no-report", action="store_true", help="leave docs/ as they are")
    options = parser.parse_args(arguments)
    if not 1024 <= options.port <= 65536 - PORTS:
        parser.error(f"--port: expected 1024 to {65536 - PORTS}, got {options.port}")
    return options


def main() -> None:
    options = parsed_options()
    peers = chosen("--peers", options.peers, all_peers())
    known: dict[str, Scenario | None] = {**all_scenarios(quick=options.quick), PUBLISHES: None}
    wanted = chosen("--scenarios", options.scenarios, known)
    scenarios = [scenario for scenario in wanted.values() if scenario is not None]
    preflight.expect_linux()
    preflight.expect_compiler()
    preflight.expect_files(most_sockets(scenarios) if scenarios else 0)
    preflight.expect_ports(options.port, PORTS)
    peers, skipped = preflight.without_missing(peers)
    record = Record(quick=options.quick, path=options.results)
    record["skipped"] = skipped
    begin = time.monotonic()
    if scenarios:
        measure(peers, scenarios, record, options.port)
    if PUBLISHES in wanted and "ours" in peers:
        publishing = time.monotonic()
        publishes(record, quick=options.quick)
        record.took(PUBLISHES, time.monotonic() - publishing)
    for part, took_s in record.times.items():
        print(f"{part:<16}{took_s:>7.0f} s")
    print(f"{record.path} after {(time.monotonic() - begin) / 60:.1f} minutes")
    if not options.no_report:
        importlib.import_module("bench.report").write(record.path)


if __name__ == "__main__":
    main()

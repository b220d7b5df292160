"""A node is killed, its crowd missed events, and all of it resumes on the node that stays.

Only for a peer with a log: ours. Parameters: `sockets` over `rooms`, `missed` events per room,
`rate` at which they are written meanwhile, `size`, `at_once`, `limit_s`.
"""

import dataclasses
import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from bench.load.generator import Generator
from bench.measures.stage import AT_ONCE, CONNECT_LIMIT_S, Stage, joined, settle, times
from bench.peers.ours import Ours
from bench.servers import Server

VICTIM_PORT = 2  # counted from the server's own
WRITE_LIMIT_S = 30.0


def storm(stage: Stage, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Times are counted from the storm's begin, so that waiting for a turn to connect counts."""
    ours = stage.peer
    assert isinstance(ours, Ours)
    sockets, rooms, missed = parameters["sockets"], parameters["rooms"], parameters["missed"]
    stage.clear()
    stage.seat_writers(rooms, rooms)
    place = stage.server.place
    victim = Server(
        ours,
        dataclasses.replace(place, port=place.port + VICTIM_PORT),
        core=stage.server.core,
    )
    try:
        with Generator(ours, victim.place.port, core=stage.core) as crowd:
            for number in range(sockets):
                crowd.add(ours.reader(number, number % rooms), number % rooms)
            joined(crowd.connect(AT_ONCE, CONNECT_LIMIT_S), sockets)
            positions = [_position(stage, ours, room) for room in range(rooms)]
            victim.kill()
    finally:
        victim.kill()
    base = _write(stage, parameters)
    _expect_written(stage, ours, positions, missed)
    for number in range(sockets):
        room = number % rooms
        script = ours.resuming(number, room, positions[room])
        stage.readers.add(script, room, wanted=missed)
    stage.readers.window(base)
    settle(stage.server)
    cpu_s = stage.server.cpu_s()
    stage.readers.connect(parameters["at_once"], parameters["limit_s"])
    answer = stage.readers.resumed(sockets, parameters["limit_s"])
    cpu_s = stage.server.cpu_s() - cpu_s
    answer = stage.readers.collect(sockets * missed, quiet_s=2.0, limit_s=10.0)
    return {
        **{f"resumed_{name}": value for name, value in times(answer, "storm").items()},
        **{f"own_{name}": value for name, value in times(answer, "resume").items()},
        "resumed": answer["resumed"],
        "failed": answer["failed"] + answer["closed"],
        "lost": sockets * missed - answer["deliveries"],
        "repeated": answer["repeated"],
        "seconds": round(answer["storm_max_ms"] / 1000, 3),
        "cpu_ms_per_client": round(cpu_s / sockets * 1000, 3),
    }


def _write(stage: Stage, parameters: Mapping[str, Any]) -> int:
    """Publish what is missed; the number of each room's first message."""
    base, count = stage.base, parameters["missed"] * parameters["rooms"]
    stage.writers.publish(
        count, burst=1, interval_s=1 / parameters["rate"], size=parameters["size"], base=base
    )
    stage.base += count + 1
    return base


def _position(stage: Stage, ours: Ours, room: int) -> dict[str, Any]:
    """Where the log of a room ends: epoch and seq."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{stage.server.place.port}/api/streams/{ours.stream(room)}/events",
        headers={"Authorization": f"Api-Key {ours.site['owner']}", "Accept": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found = json.load(answer)
    return {"epoch": found["epoch"], "seq": found["head"]}


def _expect_written(stage: Stage, ours: Ours, before: list[dict[str, Any]], missed: int) -> None:
    """Wait until every message is in the log. Raises RuntimeError when some are not."""
    deadline = time.monotonic() + WRITE_LIMIT_S
    for room, position in enumerate(before):
        wanted = position["seq"] + missed
        while (head := _position(stage, ours, room)["seq"]) != wanted:
            refused = stage.writers.collect(0, quiet_s=0, limit_s=0)["refused"]
            if time.monotonic() > deadline or refused:
                raise RuntimeError(
                    f"expected room {room} to end at {wanted}, got {head} ({refused} refused)"
                )
            time.sleep(0.1)

"""What the generator itself takes: it must never be the limit of what it measures."""

from pathlib import Path
from typing import Any

from bench.measures.fan_out import fan_out
from bench.measures.stage import set_up
from bench.peers.kernel import PEER, KernelJoined
from bench.peers.peer import Peer, Place
from bench.servers import running

SOCKETS = 1000
SIZE = 100
SECONDS = 2
# Messages a second. One server core cannot make so many frames with a call for each, so the first
# joins eight in one call; the second tells what a frame costs that comes alone.
JOINED_RATE = 480
SINGLE_RATE = 80


def capacity(
    folder: Path, port: int, redis_url: str, cores: tuple[int | None, int | None]
) -> dict[str, Any]:
    """Frames a second received, the generator's CPU per frame joined and alone, and its share."""
    joined = _received(KernelJoined(), JOINED_RATE, folder, port, redis_url, cores)
    single = _received(PEER, SINGLE_RATE, folder, port, redis_url, cores)
    found = {
        "frames_per_s": joined["deliveries_per_s"],
        "us_per_frame": round(joined["generator_share"] / joined["deliveries_per_s"] * 1e6, 3),
        "core_share": joined["generator_share"],
        "lost": joined["lost"],
        "single_frames_per_s": single["deliveries_per_s"],
        "us_per_single_frame": round(
            single["generator_share"] / single["deliveries_per_s"] * 1e6, 3
        ),
    }
    print(
        f"generator: {found['frames_per_s']:.0f} frames/s with {found['core_share']:.0%} of a "
        f"core, {found['lost']} lost; bare send(2): {single['cpu_us_per_delivery']} us",
        flush=True,
    )
    return found


def _received(
    peer: Peer,
    rate: float,
    folder: Path,
    port: int,
    redis_url: str,
    cores: tuple[int | None, int | None],
) -> dict[str, Any]:
    place = Place(port, redis_url, folder, SOCKETS)
    with running(peer, place, core=cores[0]) as server, set_up(server, core=cores[1]) as stage:
        load = {"sockets": SOCKETS, "rate": rate, "size": SIZE, "seconds": SECONDS}
        return fan_out(stage, load)

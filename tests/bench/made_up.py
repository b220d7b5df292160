"""Results that nobody measured: for the tests of the report, in the format of the bench."""

from typing import Any

ROOM: dict[str, Any] = {
    "sockets": 1000,
    "rooms": 1,
    "rate": 20,
    "size": 260,
    "burst": 1,
    "seconds": 5,
}


def run(
    peer: str,
    scenario: str,
    figures: dict[str, Any],
    *,
    repeat: int = 1,
    kind: str = "fan_out",
    error: str | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """One entry; the parameters are those of the room where none are named."""
    return {
        "peer": peer,
        "scenario": scenario,
        "kind": kind,
        "parameters": parameters or ROOM,
        "repeat": repeat,
        "figures": figures,
        "error": error,
    }


def fan_out(cpu_us: float, p50_ms: float, p99_ms: float, **more: Any) -> dict[str, Any]:
    return {
        "cpu_us_per_delivery": cpu_us,
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "lost": 0,
        "repeated": 0,
        "saturated": False,
        **more,
    }


def results(*runs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A whole file."""
    return {
        "format": 1,
        "date": "2026-11-23T08:00:00+00:00",
        "commit": "33be98b",
        "quick": False,
        "machine": {"cpu": "made up", "cores": 2, "memory_gb": 23.5, "kernel": "Linux 6.1"},
        "versions": {"ours": {"uvicorn": "0.54.0"}, "ws": {"node": "20.20.2", "ws": "8.23.0"}},
        "skipped": [],
        "generator": {"us_per_frame": 2.1, "frames_per_s": 410_000},
        "runs": list(runs),
        **fields,
    }

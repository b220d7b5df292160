"""Servers that can be measured: every module here that has a `PEER`."""

import importlib
import pkgutil

from bench.peers.peer import Peer

__all__ = ["Peer", "all_peers"]


def all_peers() -> dict[str, Peer]:
    """By name; ours and the limit of the kernel first."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
        if found.name != "peer"
    ]
    peers = [module.PEER for module in modules if hasattr(module, "PEER")]
    first = {"ours": 0, "kernel": 1}
    return {peer.name: peer for peer in sorted(peers, key=lambda peer: first.get(peer.name, 2))}

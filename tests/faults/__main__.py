"""The proof: `python -m tests.faults [--seconds 600] [--seed N] [--database ...] [--layer ...]`.

Two nodes, a layer, a database, 50 clients and their writers run under a seeded schedule of faults.
Afterwards each client's record is compared with the log. Exit status 0 only for four zeros.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.report import Outcome, printed
from tests.faults.run import prove
from tests.faults.schedule import Variant


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long faults happen")
    parser.add_argument("--seed", type=int, default=None, help="of the schedule; else a new one")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--layer", choices=["external", "embedded"], default="external")
    parser.add_argument("--keep", type=Path, default=None, help="a folder for logs that stays")
    parser.add_argument("--quiet", action="store_true", help="do not say each fault as it happens")
    return parser.parse_args()


def _unwind(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _silent(text: str) -> None:
    """For --quiet: the report says it all."""


def main() -> int:
    """Run once; the exit status."""
    given = _arguments()
    signal.signal(signal.SIGTERM, _unwind)
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    variant = Variant(given.database, given.layer)
    again = (
        f"python -m tests.faults --seed {seed} --seconds {given.seconds:g} "
        f"--clients {given.clients} --database {variant.database} --layer {variant.layer}"
    )
    _say(f"seed {seed}: {variant}, {given.seconds:g} s, {given.clients} clients")
    with tempfile.TemporaryDirectory(prefix="pm-faults-", ignore_cleanup_errors=True) as made:
        folder = given.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        say = _silent if given.quiet else _say
        outcome: Outcome = asyncio.run(
            prove(seed, given.seconds, variant, folder, client_count=given.clients, say=say)
        )
    _say(printed(outcome))
    if not outcome.passed:
        _say(f"Failed. The same schedule again: {again}")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())

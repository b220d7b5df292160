"""The Autobahn cases, run by `kosoku` against a server: `python -m tests.conformance.cases URL`.

Left out are the limits (9.*), which measure speed, and compression (12.*, 13.*), which is off.
They run in a process of their own: kosoku puts stand-ins for `autobahn`, which Daphne needs, on the
path, and patches `binascii`.
"""

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass

from tests.nodes.installation import ROOT

LEFT_OUT = ("9.*", "12.*", "13.*")
# 247 in all; a runner that leaves some of them out must not pass unseen.
COUNTS = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 10: 1}
ACCEPTED = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Case:
    """What came of one: `verdict` is of what was answered, `close` of how the connection ended."""

    id: str
    verdict: str
    close: str
    why: str
    description: str

    @property
    def accepted(self) -> bool:
        return {self.verdict, self.close} <= ACCEPTED

    @property
    def result(self) -> str:
        """One word or two for a table."""
        return self.verdict if self.close in ACCEPTED else f"{self.verdict}, {self.close}"


def run_cases(url: str, *, at_once: int = 1) -> list[Case]:
    """All cases against the server at `url`, in order.

    With several `at_once` it is quicker; which of two acceptable answers comes in the few cases
    that race an echo against a close is then less steady. Raises CalledProcessError, and
    AssertionError unless exactly the expected cases ran.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.cases", url, str(at_once)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    found = [Case(**fields) for fields in json.loads(done.stdout)]
    counts: dict[int, int] = {}
    for case in found:
        chapter = int(case.id.partition(".")[0])
        counts[chapter] = counts.get(chapter, 0) + 1
    assert counts == COUNTS, f"expected {COUNTS} cases by chapter, got {counts}"
    return found


def _plain(description: str) -> str:
    """Its first paragraph without markup."""
    return " ".join(re.sub(r"<[^>]+>", "", description.partition("<br><br>")[0]).split())


def main(url: str, at_once: str) -> None:
    from kosoku import FailureError, run_fuzzingclient

    async def run() -> list[Case]:
        try:
            results = await run_fuzzingclient(url, exclude_cases=LEFT_OUT, concurrency=int(at_once))
        except FailureError as failure:
            results = failure.results  # all of them, not only those that failed
        return [
            Case(
                id=one.case_id,
                verdict=one.behavior.value,
                close=one.behavior_close.value,
                why=one.result if one.behavior_close.value == "OK" else one.result_close,
                description=_plain(one.description),
            )
            for one in results
        ]

    print(json.dumps([asdict(case) for case in asyncio.run(run())]))  # noqa: T201 - the answer


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The page of results."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from itertools import groupby

from tests.conformance.cases import ACCEPTED, Case

Results = Mapping[str, Sequence[Case]]

_CHAPTERS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "10": "automatic fragmentation",
}
_PACKAGES = ("kosoku", "uvicorn", "uvloop", "websockets")


def failures(results: Results) -> list[str]:
    """A line for each case that is not accepted."""
    return [
        f"{way}: {case.id} {case.result}: {case.why}"
        for way, cases in results.items()
        for case in cases
        if not case.accepted
    ]


def page(results: Results, ways: Mapping[str, str], day: date) -> str:
    """In Markdown; `ways` says what each way of serving is."""
    python = ".".join(str(number) for number in sys.version_info[:3])
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    lines = [
        "# Conformance to RFC 6455",
        "",
        "Written by `make conformance`, which fails where a case fails; do not edit.",
        "",
        "The cases of the Autobahn test suite, run by `kosoku`, against an echo application that",
        "uvicorn serves with our WebSocket class:",
        "",
        *(f"- **{way}**: {meaning}." for way, meaning in ways.items()),
        "",
        "Left out: 9.* (limits and speed) and 12.*, 13.* (compression, which is off).",
        "",
        f"{day.isoformat()}, Python {python}, {versions}.",
        "",
        *_summary(results),
        "",
        "NON-STRICT and INFORMATIONAL are Autobahn's words for what the RFC allows or leaves open.",
        "",
        "## Every case",
        "",
        *_every_case(results),
        "",
        "## What is not OK",
        "",
        *_remarks(results),
        "",
    ]
    return "\n".join(lines)


def _summary(results: Results) -> list[str]:
    rows = []
    for number, name in _CHAPTERS.items():
        chapters = [
            [case for case in cases if case.id.partition(".")[0] == number]
            for cases in results.values()
        ]
        rows.append([f"{number}.* {name}", str(len(chapters[0])), *map(_told, chapters)])
    everything = list(results.values())
    rows.append(["all", str(len(everything[0])), *map(_told, everything)])
    return _table(["cases", "number", *results], rows)


def _told(cases: Sequence[Case]) -> str:
    counts = Counter(case.verdict if case.accepted else "FAILED" for case in cases)
    names = [name for name in ("OK", "NON-STRICT", "INFORMATIONAL", "FAILED") if counts[name]]
    return ", ".join(f"{counts[name]} {name}" for name in names)


def _every_case(results: Results) -> list[str]:
    """Neighbours with the same results share a row."""
    columns = list(zip(*results.values(), strict=True))

    def told(column: Sequence[Case]) -> tuple[str, ...]:
        return tuple(case.result for case in column)

    rows = []
    for verdicts, same in groupby(columns, told):
        ids = [column[0].id for column in same]
        rows.append([ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}", *verdicts])
    return _table(["case", *results], rows)


def _remarks(results: Results) -> list[str]:
    rows = []
    for column in zip(*results.values(), strict=True):
        odd = [case for case in column if case.result != "OK"]
        if odd:
            why = next((case for case in odd if case.result not in ACCEPTED), odd[0]).why
            rows.append([column[0].id, column[0].description, why])
    return _table(["case", "what it does", "what the runner says"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(one.replace('|', '&#124;') for one in row)} |" for row in cells]

"""The report: a page in Markdown and pictures in SVG, from files of results.

Uses nothing but the files and the peers' titles; no picture needs a library.
"""

from collections.abc import Sequence
from pathlib import Path

from bench.report.page import page
from bench.report.results import Results, ResultsError
from bench.report.view import FOLDER

__all__ = ["ResultsError", "newest", "write"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS, DOCS = ROOT / "bench" / "results", ROOT / "docs"


def write(results: Path, docs: Path = DOCS, *, later: Sequence[Path] = ()) -> None:
    """Write `performance.md` and its pictures anew; pictures that it no longer has are removed.

    Of `later` results each replaces the scenarios that it has, with all their servers: what is
    compared was measured beside each other. Raises ResultsError where a file is not of the bench.
    """
    found = Results.read(results)
    for path in later:
        found = found.replaced_by(Results.read(path))
    text, pictures = page(found)
    folder = docs / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        if old.name not in pictures:
            old.unlink()
    for name, drawn in pictures.items():
        (folder / name).write_text(drawn)
    (docs / "performance.md").write_text(text)


def newest(folder: Path = RESULTS) -> Path:
    """The results with the last name, which is a date. Raises ResultsError where there are none."""
    found = sorted(folder.glob("*.json"))
    if not found:
        raise ResultsError(f"{folder}: expected results of a bench, got none; run make bench first")
    return found[-1]

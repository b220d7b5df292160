"""`make conformance`: every case on every way of serving, and the page that says what came of it.

Exits 1 when a case fails.
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.conformance.report import failures, page
from tests.conformance.serving import WAYS, results_of
from tests.nodes.installation import ROOT, temporary_installation

PAGE = ROOT / "docs" / "conformance.md"


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="pm-conformance-") as folder,
        temporary_installation(Path(folder)) as installation,
    ):
        results = {name: results_of(way, installation) for name, way in WAYS.items()}
    meanings = {name: way.meaning for name, way in WAYS.items()}
    PAGE.write_text(page(results, meanings, datetime.now(UTC).date()))
    failed = failures(results)
    for line in failed:
        print(line, file=sys.stderr)  # noqa: T201 - a command
    total = sum(len(cases) for cases in results.values())
    print(f"{total - len(failed)} of {total} as expected: {PAGE.relative_to(ROOT)}")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

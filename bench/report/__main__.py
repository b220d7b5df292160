"""`python -m bench.report [FILE...]`: the page from a file of results, by default the newest. Of
further files each replaces the scenarios that it has."""

import argparse
import sys
from pathlib import Path

from bench.report import DOCS, ResultsError, newest, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="default: the newest")
    chosen = parser.parse_args().files
    try:
        first, *later = chosen or [newest()]
        write(first, later=later)
    except ResultsError as error:
        sys.exit(str(error))
    print(DOCS / "performance.md")


if __name__ == "__main__":
    main()

"""The dashboard's pure modules, in Node."""

from pathlib import Path

from tests.client.node import needs_node, run_unit_tests

HERE = Path(__file__).parent


@needs_node
def test_unit_tests_in_node() -> None:
    """Every `*.test.mjs` passes."""
    run_unit_tests(HERE.glob("*.test.mjs"))

"""The schedule of faults can be made again from its seed, and reaches every kind."""

import pytest

from tests.faults.injections import Injections
from tests.faults.schedule import LANES, Variant, plan

VARIANTS = [
    Variant(database, layer)
    for database in ("postgresql", "sqlite")
    for layer in ("external", "embedded")
]


def test_same_seed_gives_the_same_schedule() -> None:
    """A failing seed is worth nothing otherwise."""
    assert plan(7, 600, VARIANTS[0]) == plan(7, 600, VARIANTS[0])
    assert plan(7, 600, VARIANTS[0]) != plan(8, 600, VARIANTS[0])


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_ten_minutes_have_every_kind_that_suits(variant: Variant) -> None:
    """None is forgotten, and none comes that the installation cannot have."""
    lanes = plan(1, 600, variant)
    for lane, kinds in LANES.items():
        planned = {one.kind for one in lanes[lane]}
        assert planned == {kind for kind in kinds if kind.suits(variant)}


def test_longer_run_begins_like_the_shorter_one() -> None:
    """So that the end of a long failing run can be cut off."""
    short, long = plan(3, 60, VARIANTS[0]), plan(3, 600, VARIANTS[0])
    for lane, planned in short.items():
        assert long[lane][: len(planned)] == planned


def test_every_kind_can_be_injected() -> None:
    """A name in the table without its method would end a run in the middle."""
    for kinds in LANES.values():
        for kind in kinds:
            assert callable(getattr(Injections, kind.name))

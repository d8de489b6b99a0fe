"""How numbers are written in all tables."""

from __future__ import annotations

import pytest

from harness.report import formats, pareto
from harness.stats.aggregate import Estimate


@pytest.mark.parametrize(
    ("change", "scale", "shown"),
    [
        ((0.008, -0.010, 0.027), 100, "+0.8 [-1.0, +2.7]"),
        ((-0.042, -0.064, -0.019), 100, "**-4.2 [-6.4, -1.9]**"),
        ((3e-9, 1e-9, 5e-9), 100, "+0.0 [+0.0, +0.0]"),  # another order of sums, nothing to make bold
        ((-3e-9, -5e-9, -1e-9), 100, "+0.0 [+0.0, +0.0]"),
        ((0.25, 0.2, 0.3), 1, "**+0.25 [+0.20, +0.30]**"),
    ],
)
def test_a_change_is_bold_where_its_interval_as_shown_leaves_out_nothing(change, scale, shown):
    assert formats.signed(Estimate(*change), scale) == shown


def test_ninety_models_of_a_plot_look_different():
    assert len({(place % 10, pareto.MARKERS[place % len(pareto.MARKERS)]) for place in range(90)}) == 90

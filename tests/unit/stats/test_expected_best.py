from __future__ import annotations

from itertools import pairwise, product

import pytest

from harness.stats.expected_best import curve, expected_best


def test_the_worked_example_of_three_values_and_two_draws() -> None:
    # of 9 ordered pairs of 1, 2, 3 the greatest is 1 in one, 2 in three, 3 in five: (1 + 6 + 15) / 9
    assert expected_best([3.0, 1.0, 2.0], 2)[0] == pytest.approx(22 / 9)


@pytest.mark.parametrize("draws", [1, 2, 3, 4])
def test_it_is_what_counting_all_draws_gives(draws: int) -> None:
    values = [0.2, 0.9, 0.2, 0.5]
    greatest = [max(drawn) for drawn in product(values, repeat=draws)]
    mean = sum(greatest) / len(greatest)
    deviation = (sum((value - mean) ** 2 for value in greatest) / len(greatest)) ** 0.5
    assert expected_best(values, draws) == pytest.approx((mean, deviation))


def test_one_draw_is_the_mean_and_many_near_the_best() -> None:
    assert expected_best([0.0, 1.0], 1) == pytest.approx((0.5, 0.5))
    assert expected_best([0.0, 1.0], 200)[0] == pytest.approx(1.0)


def test_of_losses_the_least_is_the_best() -> None:
    points = curve([4.0, 2.0, 3.0], greater_is_better=False)
    assert [draws for draws, _, _ in points] == [1, 2, 3]
    assert points[0][1] == pytest.approx(3.0)
    assert points[1][1] == pytest.approx(5 - 22 / 9)  # 4, 3, 2 stand for 1, 2, 3
    assert all(before > after for (_, before, _), (_, after, _) in pairwise(points))

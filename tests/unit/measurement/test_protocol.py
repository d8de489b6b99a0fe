"""The protocol on simulated machines: order, stopping, verdict."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from harness.measurement import protocol
from harness.measurement.protocol import measure, orders, verdict
from harness.measurement.series import BASE, SECOND, pooled, samples
from harness.measurement.validity import Validity
from tests.benchmarks.simulated import Noise, SimulatedBench

CALM = Noise(drift=0.005, launch=0.002, call=0.005, spiked_visits=0, spiked_calls=0)
WILD = Noise(drift=0.3, autocorrelation=0.5, launch=0.1, spiked_visits=0.3)

NOISES = {"calm": CALM, "wild": WILD}


def run(noise: Noise, factor: float = 1.0, **settings):
    runner = SimulatedBench({"b": factor}, noise, 0)
    return measure(runner, ["c"], ["b"], 0, **settings)["c"]


@pytest.mark.parametrize("variants", [["a", "b"], ["a", "b", "c", "d"]])
def test_each_order_is_followed_by_its_reverse(variants):
    blocks = orders(variants, seed=1, launch=2, cell="c")
    assert len(blocks) == protocol.BLOCKS_PER_LAUNCH
    for first, second in zip(blocks[::2], blocks[1::2], strict=True):
        assert first == second[::-1]
        assert sorted(first) == variants


def test_of_two_arms_each_comes_first_equally_often():
    blocks = list(itertools.chain.from_iterable(orders(["a", "b"], 0, launch, "c") for launch in range(9)))
    assert sum(block[0] == "a" for block in blocks) == len(blocks) / 2


def test_orders_are_random_and_follow_the_seed():
    drawn = {tuple(map(tuple, orders(["a", "b", "c"], seed, 0, "c"))) for seed in range(30)}
    assert len(drawn) > 10
    assert orders(["a", "b", "c"], 3, 1, "x") == orders(["a", "b", "c"], 3, 1, "x")


def test_it_stops_at_twenty_pairs_where_the_intervals_are_narrow():
    series = run(CALM)
    assert series.pairs() == 20 and series.precise
    assert series.ratio("b", "forward", 0).half_width <= 0.02


def test_it_stops_at_sixty_pairs_where_they_stay_wide():
    series = run(WILD)
    assert series.pairs() == 60 and not series.precise
    said = verdict(series, "forward", "b", 1.9, 0)
    assert said.standing is Validity.IMPRECISE and not said.is_valid
    assert "wider than ±2 %, after 60 pairs" in said.reason


def test_a_wider_target_is_reached_sooner_and_counts():
    runner = SimulatedBench({"b": 1.0}, Noise(), 0)
    narrow, wide = (measure(runner, ["c"], ["b"], 0, half_width=half)["c"] for half in (0.001, 0.2))
    assert (narrow.pairs(), wide.pairs()) == (60, 20)
    assert verdict(narrow, "forward", "b", 0.05, 0, 0.001).standing is Validity.IMPRECISE
    assert verdict(wide, "forward", "b", 0.05, 0, 0.2).is_valid


def test_a_wide_candidate_leaves_the_others_theirs():
    """Of two candidates one is spiky: its own verdict says so, and the whole is as good as the worst."""
    runner = SimulatedBench({"b": 1.0, "c": 1.0}, CALM, 0)
    series = measure(runner, ["x"], ["b", "c"], 0)["x"]
    for place, burst in enumerate(series.bursts["c"]):
        slower = tuple({"forward": [(1 + place % 5) * one for one in calls["forward"]]} for calls in burst.rounds)
        series.bursts["c"][place] = replace(burst, rounds=slower)
    assert verdict(series, "forward", "b", 0.05, 0).is_valid
    assert verdict(series, "forward", "c", 0.05, 0).standing is Validity.IMPRECISE
    assert Validity.worst([Validity.VALID, Validity.IMPRECISE]) is Validity.IMPRECISE
    assert Validity.worst([Validity.INVALID, Validity.IMPRECISE]) is Validity.INVALID


def test_it_never_stops_because_a_difference_is_plain():
    series = run(WILD, factor=20.0)
    assert series.ratio("b", "forward", 0).excludes_one
    assert series.pairs() == 60


def test_cells_that_are_done_are_not_visited_again():
    class TwoMachines:
        def __init__(self):
            self.machines = {name: SimulatedBench({"b": 1.0}, noise, 0) for name, noise in NOISES.items()}

        def launch(self, number, variants):
            for machine in self.machines.values():
                machine.launch(number, variants)

        def burst(self, variant, cell):
            return self.machines[cell].burst(variant, cell)

    series = measure(TwoMachines(), list(NOISES), ["b"], 0)
    assert (series["calm"].pairs(), series["wild"].pairs()) == (20, 60)


def test_every_arm_is_visited_once_a_block():
    series = run(CALM)
    assert set(series.bursts) == {BASE, SECOND, "b"}
    places = {(one.launch, one.block): set() for one in series.bursts[BASE]}
    for bursts in series.bursts.values():
        for one in bursts:
            places[one.launch, one.block].add(one.place)
    assert all(found == {0, 1, 2} for found in places.values())


def test_a_block_has_rounds_to_and_fro_until_an_arm_has_been_timed_long_enough():
    class Told:
        def __init__(self):
            self.visited = []

        def launch(self, number, variants):
            pass

        def burst(self, variant, cell):
            self.visited.append(variant)
            return {"forward": [0.07 if variant == "slow" else 0.01]}, 2.0

    runner = Told()
    series = measure(runner, ["x"], ["slow"], 0, deadline=-1.0)["x"]
    first = runner.visited[:15]
    assert first[3:6] == first[:3][::-1] and first[6:9] == first[:3]
    assert [len(one.rounds) for one in series.bursts["slow"]] == [5] * protocol.BLOCKS_PER_LAUNCH
    assert series.bursts["slow"][0].joules == 10.0
    assert series.bursts["slow"][0].seconds == pytest.approx(0.35)


def test_the_ratio_of_a_block_is_that_of_visits_next_to_each_other():
    """A machine that is twice as slow in every other round changes no ratio."""

    class Waving:
        count = 0

        def launch(self, number, variants):
            pass

        def burst(self, variant, cell):
            self.count += 1
            return {"forward": [0.05 * (1 + (self.count - 1) // 3 % 2) * (1.1 if variant == "b" else 1.0)]}, None

    series = measure(Waving(), ["x"], ["b"], 0)["x"]
    assert series.pairs() == 20
    ratio = series.ratio("b", "forward", 0)
    assert ratio.value == pytest.approx(1.1) and ratio.half_width < 1e-6


def test_the_ratio_is_the_true_one():
    assert run(CALM, 1.3).ratio("b", "forward", 0).value == pytest.approx(1.3, rel=0.02)


def test_a_quiet_measurement_is_valid():
    said = verdict(run(CALM, 1.3), "forward", "b", 0.05, 0)
    assert said.is_valid and said.standing == "VALID" and not said.reason


def test_an_original_that_differs_from_itself_makes_it_invalid():
    runner = SimulatedBench({"b": 1.0, SECOND: 1.04}, CALM, 0)
    said = verdict(measure(runner, ["c"], ["b"], 0)["c"], "forward", "b", 0.05, 0)
    assert said.standing is Validity.INVALID and "against itself is 1.04" in said.reason
    assert verdict(measure(runner, ["c"], ["b"], 0)["c"], "forward", "b", 0.1, 0).is_valid


def test_a_budget_that_ends_early_makes_it_invalid():
    clock = iter(range(0, 10_000, 10))
    series = run(CALM, deadline=45, clock=lambda: next(clock))
    assert 0 < series.pairs() < 20
    said = verdict(series, "forward", "b", 0.05, 0)
    assert said.standing is Validity.INVALID and "budget" in said.reason


def test_the_first_launch_is_made_whatever_the_budget():
    series = run(CALM, deadline=-1.0)
    assert series.pairs() == protocol.BLOCKS_PER_LAUNCH
    assert series.ratio("b", "forward", 0) is None


def test_all_samples_are_kept():
    series = run(CALM)
    kept = samples(series)
    assert set(kept) == {BASE, SECOND, "b"}
    assert len(kept["b"]) == 20
    assert sum(kept["b"][0]["rounds"]) == len(kept["b"][0]["seconds"]["forward"])
    assert "joules" not in kept["b"][0]


OTHERS = [SECOND, *(f"candidate {number}" for number in range(12))]


def test_of_many_variants_none_is_far_from_the_original():
    for turn in orders([BASE, *OTHERS], 0, 0, "c"):
        assert sorted(variant for variant in turn if variant != BASE) == sorted(OTHERS)
        places = [place for place, variant in enumerate(turn) if variant == BASE]
        assert places[0] == 0 and places[-1] == len(turn) - 1
        assert max(after - before for before, after in itertools.pairwise(places)) <= protocol.GROUP + 1


def test_a_machine_that_grows_slower_within_a_round_changes_no_ratio():
    """Each burst takes 2 % more than the one before: the original's on both sides tell what it took in between."""

    class Slowing:
        count = 0

        def launch(self, number, variants):
            self.count = 0

        def burst(self, variant, cell):
            self.count += 1
            return {"forward": [0.04 * 1.02**self.count * (1.1 if variant == "candidate 5" else 1.0)]}, None

    series = measure(Slowing(), ["x"], OTHERS[1:], 0)["x"]
    assert verdict(series, "forward", "candidate 5", 0.05, 0).is_valid
    assert series.ratio("candidate 5", "forward", 0).value == pytest.approx(1.1)
    assert series.ratio(SECOND, "forward", 0).value == pytest.approx(1.0)


def test_a_candidate_that_is_precise_is_not_timed_for_the_others_sake():
    class OneIsWild(SimulatedBench):
        def __init__(self, *settings):
            super().__init__(*settings)
            self.started = []

        def launch(self, number, variants=()):
            self.started.append(set(variants))
            super().launch(number)

        def burst(self, variant, cell):
            calls, joules = super().burst(variant, cell)
            wild = self.random.lognormal(0, 0.4) if variant == "c" else 1.0
            return {"forward": [wild * seconds for seconds in calls["forward"]]}, joules

    runner = OneIsWild({"b": 1.0, "c": 1.0}, CALM, 0)
    series = measure(runner, ["x"], ["b", "c"], 0)["x"]
    assert (series.pairs("b"), series.pairs("c"), series.pairs(SECOND)) == (20, 60, 60)
    assert runner.started[0] == {BASE, SECOND, "b", "c"} and runner.started[-1] == {BASE, SECOND, "c"}
    assert series.narrow == {"b"} and not series.precise
    assert verdict(series, "forward", "b", 0.05, 0).is_valid


def test_the_original_against_itself_is_a_matter_of_all_cells():
    """What four cells say of it together is narrower than what each says."""
    noise = replace(CALM, call=0.08)
    cells = list("abcd")
    every = measure(SimulatedBench({"b": 1.0}, noise, 0), cells, ["b"], 0)
    together = pooled(every.values(), "forward", 0)
    alone = [every[cell].ratio(SECOND, "forward", 0).half_width for cell in cells]
    assert together.half_width < 0.8 * min(alone)
    assert together.value == pytest.approx(1.0, abs=0.01)


def test_cells_that_a_review_leaves_out_are_not_timed_again():
    runner = SimulatedBench({"b": 1.0}, CALM, 0)
    series = measure(runner, ["c", "d"], ["b"], 0, review=lambda every: list(every)[:1])
    assert list(series) == ["c"] and series["c"].pairs() == 20

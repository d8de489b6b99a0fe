"""Wall-clock budgets, on clocks that tests turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from harness.pipeline.steps.pretrain import _budget
from harness.training.pretraining.loop import PROBE_STEPS
from harness.training.pretraining.schedules import rate
from harness.training.step_plan import Plan
from tests.unit.training.pretraining.settings import setting_of, spec, trained


def gone_through(plan: Plan, cost: Callable[[int], float], step: int = 0, spent: float = 0.0, until: int | None = None):
    """Take the steps of a plan, each of `cost(step)` seconds; the places they had, and the seconds they took."""
    places = []
    while step < plan.steps and step != until:
        if step == plan.review_at:
            plan.review(step, spent)
            continue
        places.append(plan.place)
        plan.advance(step)
        spent += cost(step)
        step += 1
    return places, spent


def test_at_a_steady_speed_nothing_is_revised_and_the_schedule_goes_step_by_step():
    plan = Plan.of_seconds(1000, 0.5)
    places, spent = gone_through(plan, lambda step: 0.5)
    assert plan.revisions == []
    assert places == list(range(2000))
    assert spent == 1000
    counted, _ = gone_through(Plan.of_steps(2000), lambda step: 7.0)
    assert counted == places


@pytest.mark.parametrize("turn", [5, 500, 1000, 1900])
def test_a_machine_that_becomes_three_times_slower_keeps_the_budget_and_the_whole_schedule(turn):
    plan = Plan.of_seconds(1000, 0.5)
    places, spent = gone_through(plan, lambda step: 0.5 if step < turn else 1.5)
    assert 990 <= spent <= 1000 + 1.5
    assert plan.steps == len(places) < 2000
    assert plan.revisions
    shares = [rate("wsd", place, plan.first, 0.1, 0.2) for place in places]
    assert places == sorted(places)
    assert shares[-1] < 0.05, "the learning rate comes down before time is up"
    decay = sum(place >= 0.8 * plan.first for place in places) / (plan.steps - turn)
    assert turn > 1000 or decay == pytest.approx(0.2 * 2000 / (2000 - turn), rel=0.15), (
        "its fraction of what is left stays"
    )


def test_a_machine_that_becomes_faster_takes_more_steps():
    plan = Plan.of_seconds(1000, 0.5)
    places, spent = gone_through(plan, lambda step: 0.5 if step < 1000 else 0.25)
    assert len(places) == pytest.approx(3000, rel=0.02)
    assert 980 <= spent <= 1000


def test_a_machine_that_stood_still_for_longer_than_the_budget_stops_at_the_next_review():
    plan = Plan.of_seconds(1000, 0.5)
    places, _ = gone_through(plan, lambda step: 5000.0 if step == 300 else 0.5)
    assert 300 < len(places) <= 300 + 11
    assert plan.revisions == [[len(places), len(places)]]


def test_a_plan_that_was_stored_goes_on_as_if_it_had_not():
    def cost(step: int) -> float:
        return 0.5 + (step % 7) * 0.2 + (step > 700)

    whole = Plan.of_seconds(1000, 0.5)
    places, seconds = gone_through(whole, cost)
    broken = Plan.of_seconds(1000, 0.5)
    before, spent = gone_through(broken, cost, until=333)
    again = Plan(**json.loads(json.dumps(asdict(broken))))
    after, spent = gone_through(again, cost, 333, spent)
    assert (before + after, spent, again) == (places, seconds, whole)


def test_seconds_of_a_checkpoint_are_gone_but_do_not_make_steps_look_slower():
    plan = Plan.of_seconds(1000, 0.5)
    plan.review(10, 5.0)
    plan.pause(100.0)
    plan.review(20, 5.0 + 100.0 + 5.0)
    assert plan.per_step == pytest.approx(0.5)
    assert plan.steps == 20 + (1000 - 110) * 2


class Clock:
    """Shows the seconds that the steps so far have cost; `steps` were taken before it was looked at first."""

    def __init__(self, cost: Callable[[int], float], steps: int = 0) -> None:
        self.cost, self.steps, self.seconds = cost, steps, 0.0

    def __call__(self) -> float:
        return self.seconds

    def tick(self) -> None:
        self.seconds += self.cost(self.steps)
        self.steps += 1


PROBED = sum(PROBE_STEPS)


def test_a_budget_becomes_steps_and_leaves_no_trace_of_the_probe(tmp_path):
    setting = setting_of("mlm")
    timed, weights = trained(setting, tmp_path / "timed", spec(steps=None, budget="50s"), clock=Clock(lambda step: 1.0))
    assert timed.steps == 50
    counted, same = trained(setting, tmp_path / "counted", spec(steps=timed.steps))
    assert timed.losses == counted.losses
    assert all((weights[name] == same[name]).all() for name in weights)


def test_a_slowing_training_ends_in_time_and_resumes_exactly(tmp_path):
    """The revisions made before it was stopped stand in the checkpoint; later ones follow from the same seconds."""

    def cost(step: int) -> float:
        return 1.0 if step < 20 else 2.5

    setting, settings = setting_of("mlm"), spec(steps=None, budget="80s")
    whole, weights = trained(setting, tmp_path / "whole", settings, clock=Clock(cost))
    planned = 80
    assert whole.plan.first == planned
    assert whole.steps == len(whole.losses) < planned
    assert whole.seconds <= planned + 2.5
    assert whole.plan.revisions
    killed = PROBED + 19
    assert trained(setting, tmp_path / "broken", settings, killed, clock=Clock(cost)) is None
    resumed, again = trained(setting, tmp_path / "broken", settings, clock=Clock(cost, PROBED + 16))
    assert resumed.resumed_from == 16
    assert resumed.plan.revisions == whole.plan.revisions
    assert resumed.plan.revisions[0][0] < 16, "one was made before it was stopped"
    assert resumed.losses == whole.losses
    assert all((weights[name] == again[name]).all() for name in weights)
    told = _budget(settings, resumed, 50.0)
    assert told is not None
    assert told["planned_seconds"] == 80
    assert told["real_seconds"] == resumed.before + 50
    assert told["planned_steps"] == planned
    assert told["real_training_seconds"] == pytest.approx(whole.seconds)


def test_without_a_budget_none_is_recorded(tmp_path):
    outcome, _ = trained(setting_of("mlm"), tmp_path, spec())
    assert _budget(spec(), outcome, 1.0) is None
    assert outcome.plan.revisions == []

"""How many steps a pretraining takes: a number given, or what a wall-clock budget has room for.

Under a budget the number is an estimate, revised by the clock as training goes. A revision moves the end and with it
the rest of the learning rate's schedule, which is never cut off. Training is a pure function of the seed and the
revisions; a checkpoint holds those that were made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REVIEWS = 200
"""How often a plan is held against the clock, over a budget."""
TOLERANCE = 0.05
"""An estimate of the steps left that is off by no more than this fraction is left alone."""
SMOOTHING = 0.3
"""The weight of the steps since the last review in the estimate of a step's seconds; those before have the rest."""


@dataclass
class Plan:
    """`steps` is when training ends, `first` what was planned first.

    The learning rate follows a schedule over `first` steps. `place` is where in it the next step stands: one further a
    step, and more or less than one after a revision, so that schedule and training end together. `seconds` is the
    training time there is, None without a budget; `per_step` a step's seconds as estimated at the last review, made at
    step `reviewed_at` after `reviewed_seconds`. `revisions` are pairs: the step before which one was made, and the
    number of steps from then on.
    """

    first: int
    steps: int
    place: float = 0.0
    seconds: float | None = None
    per_step: float = 0.0
    review_at: int | None = None
    reviewed_at: int = 0
    reviewed_seconds: float = 0.0
    revisions: list[list[int]] = field(default_factory=list)

    @classmethod
    def of_steps(cls, steps: int) -> Plan:
        return cls(first=steps, steps=steps)

    @classmethod
    def of_seconds(cls, seconds: float, per_step: float) -> Plan:
        """As many steps of `per_step` seconds as there is time for, at least one."""
        steps = max(1, _whole_steps(seconds, per_step))
        plan = cls(first=steps, steps=steps, seconds=seconds, per_step=per_step)
        plan.review_at = plan._next_review(0)
        return plan

    def advance(self, step: int) -> None:
        """Step `step` was taken."""
        self.place += (self.first - self.place) / (self.steps - step)

    def places(self) -> list[float]:
        """Where in the schedule each step stood, from the first to the last, by the revisions that were made."""
        again, revised = Plan.of_steps(self.first), {revision[0]: revision[1] for revision in self.revisions}
        places = []
        for step in range(self.steps):
            again.steps = revised.get(step, again.steps)
            places.append(again.place)
            again.advance(step)
        return places

    def review(self, step: int, spent: float) -> None:
        """Hold the plan against the seconds `spent` before step `step`; steps to come may become fewer or more."""
        assert self.seconds is not None
        if step > self.reviewed_at:
            latest = (spent - self.reviewed_seconds) / (step - self.reviewed_at)
            self.per_step += SMOOTHING * (latest - self.per_step)
        self.reviewed_at, self.reviewed_seconds = step, spent
        left = _whole_steps(self.seconds - spent, self.per_step)
        if abs(left - (self.steps - step)) > TOLERANCE * (self.steps - step):
            self.steps = step + left
            self.revisions.append([step, self.steps])
        self.review_at = self._next_review(step)

    def pause(self, seconds: float) -> None:
        """So many were spent on something else than steps: they are gone, but say nothing of the steps to come."""
        self.reviewed_seconds += seconds

    def _next_review(self, step: int) -> int:
        assert self.seconds is not None
        return step + max(1, _whole_steps(self.seconds / REVIEWS, self.per_step))


def _whole_steps(seconds: float, per_step: float) -> int:
    """How many steps fit; a billionth of one more, as rounding is no reason to drop one."""
    return max(0, int(seconds / max(per_step, 1e-9) + 1e-9))

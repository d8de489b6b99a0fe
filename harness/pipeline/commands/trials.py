"""The trials of a search, and the optuna study that draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core.search_records import COMPLETE, CUT, FAILED, PRUNED
from harness.core.search_spec import Range, TuneSpec, takes_integers
from harness.core.specs import TrainingSpec


@dataclass
class Trial:
    """A trial of a search, as far as it has come."""

    number: int
    values: Mapping[str, Any]
    training: TrainingSpec
    drawn: Any
    rungs: list[dict[str, Any]] = field(default_factory=list)
    state: str = COMPLETE
    cause: str = ""

    @property
    def value(self) -> float | None:
        return None if self.state == FAILED or not self.rungs else self.rungs[-1]["value"]

    def facts(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "values": dict(self.values),
            "state": self.state,
            "value": self.value,
            "rungs": self.rungs,
            **({"cause": self.cause} if self.cause else {}),
        }


def study_of(search: TuneSpec) -> Any:
    """What draws the trials of a search."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kinds: dict[str, Any] = {"tpe": optuna.samplers.TPESampler, "random": optuna.samplers.RandomSampler}
    return optuna.create_study(direction="maximize", sampler=kinds[search.sampler](seed=search.search_seed))


def distribution(name: str, part: Range | tuple[Any, ...]) -> Any:
    """What a training value is drawn from."""
    from optuna import distributions

    if not isinstance(part, Range):
        return distributions.CategoricalDistribution(part)
    if takes_integers(name):
        return distributions.IntDistribution(int(part.low), int(part.high), log=part.log)
    return distributions.FloatDistribution(part.low, part.high, log=part.log)


def tell_study(study: Any, trial: Trial, sign: int) -> None:
    """Tell the study what became of a trial."""
    from optuna.trial import TrialState

    states = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED, CUT: TrialState.PRUNED, FAILED: TrialState.FAIL}
    for step, rung in enumerate(trial.rungs):
        trial.drawn.report(sign * rung["value"], step)
    value = None if trial.value is None or trial.state != COMPLETE else sign * trial.value
    study.tell(trial.drawn, value, state=states[trial.state])


def shown(values: Mapping[str, Any]) -> str:
    """The values of a trial, in a line."""
    parts = (f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items())
    return ", ".join(parts)


def line(trial: Trial) -> str:
    """What became of a trial, in a line."""
    result = trial.cause if trial.value is None else f"{trial.value:.4f}"
    return f"trial {trial.number}: {shown(trial.values)}: {trial.state}, {result}"

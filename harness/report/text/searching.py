"""Searches for training values, for a reader."""

from __future__ import annotations

from typing import Any

from harness.core.errors import StoredFileError
from harness.core.run_records import RunManifest
from harness.core.runs import asked_for
from harness.core.search_records import COMPLETE, CUT, TrialFacts, TuneRecord
from harness.core.store import Store
from harness.core.text import say
from harness.report.text.text import columns

POINTS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Numbers of trials at which the curve is shown, and the last."""


def searches_of(store: Store, manifest: RunManifest) -> list[TuneRecord]:
    """The searches that a run is the end of; a damaged one is named on stderr and left out."""
    return store.find_all(asked_for([manifest], "tune"), _say_damaged, TuneRecord)


def _say_damaged(error: StoredFileError) -> None:
    say(f"damaged: {error}")


def search_text(record: TuneRecord) -> str:
    """The trials, best first, the curve, and what was chosen."""
    names = list(record.space)
    rows = [
        [
            str(trial.number),
            *(_value(trial.values.get(name)) for name in names),
            trial.state,
            _reached(trial),
            _score(trial),
        ]
        for trial in ordered(record)
    ]
    made = f"{len(record.trials)} of {record.asked} trials"
    cut = sum(trial.state == CUT for trial in record.trials)
    ended = ", ended by the budget" + (f", which cut {cut}" if cut else "") if record.ended == "budget" else ""
    settings, data, by = record.settings, record.data, ", ".join(record.metrics)
    head = "\n".join(
        [
            f"search    {record.task.name}: {made}{ended}; {settings.get('sampler')}, seed {settings.get('seed')}",
            f"chosen    by {by} on one of {data.parts} parts of {data.split}, never the scored split",
            f"best      trial {record.best}",
        ]
    )
    table = columns(rows, ["trial", *names, "state", "epochs", "value"])
    return "\n\n".join([head, table, _curve_text(record)])


def ordered(record: TuneRecord) -> list[TrialFacts]:
    """The trials: those that were trained whole first, and each kind by value."""
    sign = -1 if record.greater_is_better else 1

    def place(trial: TrialFacts) -> tuple[int, float, float, int]:
        reached = trial.rungs[-1].fraction if trial.rungs else 0.0
        value = sign * trial.value if trial.value is not None else 0.0
        return int(trial.state != COMPLETE), -reached, value, trial.number

    return sorted(record.trials, key=place)


def _curve_text(record: TuneRecord) -> str:
    last = len(record.expected)
    points = [point for point in record.expected if point.trials in POINTS or point.trials == last]
    rows = [[str(point.trials), f"{point.value:.4f}", f"{point.deviation:.4f}"] for point in points]
    note = "Expected best value of so many trials (Dodge et al. 2019); a pruned trial has that of its last rung." + (
        "" if record.settings.get("sampler") == "random" else " Of tpe's trials, which are not drawn independently."
    )
    return f"{columns(rows, ['trials', 'expected best', 'deviation'])}\n{note}"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _reached(trial: TrialFacts) -> str:
    return f"{100 * trial.rungs[-1].fraction:g} %" if trial.rungs else ""


def _score(trial: TrialFacts) -> str:
    return trial.cause if trial.value is None else f"{trial.value:.4f}"


def summary(record: TuneRecord) -> str:
    """A search in a few words."""
    values = {trial.number: trial.value for trial in record.trials}
    best = values.get(record.best)
    return f"{len(record.trials)} trials, best {'unknown' if best is None else f'{best:.4f}'}"

"""The verdicts: one engine for every outlet. What the statistics are is in `harness.stats.significance`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness.errors import unknown
from harness.gate.estimates import Estimated, averaged, counted, estimate
from harness.gate.evidence import Evidence
from harness.gate.pairing import Pair, align
from harness.gate.settings import ALPHA, GateSpec
from harness.stats.significance import holm

Verdict = Literal["IDENTICAL", "REGRESSED", "OK", "INCONCLUSIVE"]
AVERAGE = "average"
SEED_MODES = (3, 5, 10)
"""Seeds of a pull request, a nightly run and a release: what each would detect is told where there are several."""
OK, REGRESSION, INCONCLUSIVE, INCOMPATIBLE = 0, 1, 3, 4


@dataclass(frozen=True)
class Judged:
    """A verdict on a task or on an average, with all it rests on.

    `base` and `candidate` are mean scores over paired seeds; `drop`, `low`, `high`, `margin`, `ok_margin` and
    `detectable` are shares of the scale. `p` is adjusted: with alpha 0.05 for the whole gate. `power` is that of
    finding a drop of `ok_margin`. `by_seeds` says what would be detectable with so many seeds.
    """

    model: str
    task: str
    metrics: tuple[str, ...]
    n: int
    seeds: int
    base: float | None
    candidate: float | None
    drop: float | None
    low: float | None
    high: float | None
    p: float | None
    test: str
    margin: float
    ok_margin: float
    detectable: float | None
    power: float | None
    verdict: Verdict
    reason: str
    improved: bool = False
    failed: Mapping[int, str] | None = None
    by_seeds: Mapping[int, float] | None = None


@dataclass(frozen=True)
class Report:
    """All verdicts, averages first; reasons why something cannot be compared; notes."""

    base: str
    candidate: str
    rows: tuple[Judged, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    strict: bool
    alpha: float = ALPHA

    @property
    def exit_code(self) -> int:
        """Of the gate. What cannot be compared comes first: then not all was judged."""
        verdicts = {row.verdict for row in self.rows}
        if self.reasons or not self.rows:
            return INCOMPATIBLE
        if "REGRESSED" in verdicts:
            return REGRESSION
        return INCONCLUSIVE if self.strict and "INCONCLUSIVE" in verdicts else OK

    @property
    def outcome(self) -> str:
        return {
            OK: "passed",
            REGRESSION: "regressed",
            INCONCLUSIVE: "inconclusive",
            INCOMPATIBLE: "not comparable",
        }[self.exit_code]


def judge(base: Evidence, candidate: Evidence, spec: GateSpec) -> tuple[Report, list[Pair]]:
    """Judge a candidate. Returns the pairs as well, for flip reports.

    Alpha is 0.05 for the whole gate: half is for the averages, half for the tasks, each split over its models and tasks
    by Holm; all is for the tasks where there is no average of several. Verdicts in this order: IDENTICAL, where all
    predictions are; REGRESSED, where a seed failed, or where the drop is significant and at least the margin; OK, where
    the 95 % interval ends below `ok_margin`; else INCONCLUSIVE.
    """
    _check_names(base, spec)
    notes: list[str] = []
    if spec.models:
        base, candidate, notes = _only(base, candidate, spec.models)
    found = align(base, candidate, tuple(spec.allow), spec.seeds)
    tasks = [estimate(pair) for pair in found.pairs]
    averages = _averages(base, tasks)
    share = ALPHA / 2 if averages else ALPHA
    rows: list[Judged] = []
    for group in (averages, [_Row(one.pair.task, one.pair.model, one) for one in tasks]):
        adjusted = holm([row.estimated.p for row in group])
        strictest = share / max(1, len(group))
        for row, p in zip(group, adjusted, strict=True):
            rows.append(_judged(row, min(1.0, p * ALPHA / share), strictest, spec))
    notes += found.notes
    if any(row.seeds == 1 and row.verdict != "IDENTICAL" for row in rows):
        notes.append(
            "one seed says nothing of how scores vary between trainings: its verdicts are of these very models, and a "
            "mere retraining may be called a regression; use three seeds or more to judge a recipe"
        )
    report = Report(base.name, candidate.name, tuple(rows), tuple(found.reasons), tuple(notes), spec.strict)
    return report, found.pairs


def _check_names(base: Evidence, spec: GateSpec) -> None:
    """A margin for something that is not there would be no margin."""
    for task in spec.tasks:
        if task not in base.tasks:
            raise unknown("task", task, base.tasks, f"the margins; the baseline is {base.name}")
    known = {name for part in base.parts.values() for name in part.metrics}
    for metric in spec.metrics:
        if metric not in known:
            raise unknown("metric", metric, known, f"the margins; the baseline is {base.name}")


def _only(base: Evidence, candidate: Evidence, models: list[str]) -> tuple[Evidence, Evidence, list[str]]:
    for model in models:
        if model not in base.models:
            raise unknown("model", model, base.models, f"the baseline {base.name}")
    left_out = [model for model in base.models if model not in models]
    notes = [f"not judged, since --model names others: {', '.join(left_out)}"] if left_out else []
    kept = tuple(model for model in candidate.models if model in models)
    return base.only(tuple(models)), candidate.only(kept) if kept else candidate, notes


@dataclass(frozen=True)
class _Row:
    task: str
    model: str
    estimated: Estimated
    members: tuple[Estimated, ...] = ()


def _averages(base: Evidence, tasks: Sequence[Estimated]) -> list[_Row]:
    """For each suite and model with several averaged tasks that were compared, the mean of their drops."""
    rows = []
    models = dict.fromkeys(one.pair.model for one in tasks)
    for suite, tasks_averaged in base.suites.items():
        for model in models:
            of_suite = [one for one in tasks if one.pair.model == model and one.pair.task in tasks_averaged]
            own = [one for one in of_suite if one.drop is not None and one.is_averageable]
            if len(own) > 1:
                name = AVERAGE if len(base.suites) == 1 else f"{AVERAGE} of {suite}"
                rows.append(_Row(name, model, averaged(own), tuple(own)))
    return rows


def _judged(row: _Row, p: float, alpha: float, spec: GateSpec) -> Judged:
    one, pair = row.estimated, row.estimated.pair
    members = row.members or (one,)
    names = tuple(dict.fromkeys(metric.name for part in pair.parts for metric in counted(part)))
    margin = fmean(spec.margin_of(each.pair.task, _names(each.pair)) for each in members)
    ok_margin = spec.ok_margin_of(margin)
    drop = one.drop
    failed = dict(pair.failed) if not row.members else {}
    of_seeds = len(pair.seeds) + len(failed)
    improved = drop is not None and one.high < 0
    verdict: Verdict
    if failed:
        seed, cause = next(iter(failed.items()))
        verdict, reason = "REGRESSED", f"{len(failed)} of {of_seeds} seeds failed: seed {seed}: {cause}"
    elif one.identical:
        verdict, reason = "IDENTICAL", "every prediction is the base's"
    elif drop is not None and p < ALPHA and drop.value >= margin:
        verdict, reason = "REGRESSED", f"a significant drop of at least {points(margin)} points"
    elif one.high < ok_margin:
        reason = "better, significantly" if improved else f"the drop is surely below {points(ok_margin)} points"
        verdict = "OK"
    else:
        verdict, reason = "INCONCLUSIVE", f"no significant drop, but one of {points(ok_margin)} points is not excluded"
    by_seeds = {}
    for seeds in SEED_MODES:
        other = drop.with_seeds(seeds) if drop is not None else None
        if other is not None:
            by_seeds[seeds] = other.detectable(alpha, margin)
    return Judged(
        model=pair.model,
        task=row.task,
        metrics=() if row.members else names,
        n=sum(part.n for each in members for part in each.pair.parts),
        seeds=len(pair.seeds),
        base=fmean(_score(each.pair, 0) for each in members) if drop is not None else None,
        candidate=fmean(_score(each.pair, 1) for each in members) if drop is not None else None,
        drop=drop.value if drop is not None else None,
        low=one.low if drop is not None else None,
        high=one.high if drop is not None else None,
        p=p if drop is not None else None,
        test=one.test,
        margin=margin,
        ok_margin=ok_margin,
        detectable=drop.detectable(alpha, margin) if drop is not None else None,
        power=drop.power(ok_margin, alpha, margin) if drop is not None else None,
        verdict=verdict,
        reason=reason,
        improved=improved,
        failed=failed or None,
        by_seeds=by_seeds or None,
    )


def _names(pair: Pair) -> list[str]:
    return [metric.name for part in pair.parts for metric in counted(part)]


def _score(pair: Pair, side: int) -> float:
    """A task's score: the mean over splits, metrics and paired seeds."""
    return fmean(
        both[side].scores[metric.name]["value"]
        for part in pair.parts
        for metric in counted(part)
        for both in pair.sides[part.split]
    )


def points(share: float) -> str:
    return f"{100 * share:.1f}"

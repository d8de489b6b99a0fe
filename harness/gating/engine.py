"""The verdicts: one engine for every reporter. What the statistics are is in `harness.stats.significance`, what is made
of measured time, memory and size in `harness.gating.measured`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from harness.core.errors import HarnessError, unknown
from harness.core.run_spec import SEED_MODES
from harness.gating.differences import contaminated, differences, partly_random
from harness.gating.estimates import Estimated, averaged, counted, estimate
from harness.gating.matching import matched
from harness.gating.measured import Measured, Measurement, judge_measured
from harness.gating.pairing import Pair, align, compressed
from harness.gating.run_results import RunResults
from harness.gating.settings import ALPHA, GateSpec
from harness.stats.significance import POWER, holm

Verdict = Literal["IDENTICAL", "REGRESSED", "OK", "INCONCLUSIVE"]
AVERAGE = "average"
OK, REGRESSION, INCONCLUSIVE, INCOMPATIBLE, INVALID = 0, 1, 3, 4, 5


@dataclass(frozen=True)
class Judged:
    """A verdict on a task or on an average, with all it rests on.

    `base` and `candidate` are mean scores over paired seeds; `drop`, `low`, `high`, `margin`, `ok_margin` and
    `detectable` are fractions of the scale. `p` is adjusted: with alpha 0.05 for the whole gate. `power` is that of
    finding a drop of `ok_margin`. `by_seeds` says what would be detectable with so many seeds, `power_by_seeds` with
    which power a drop of `ok_margin` would be found. `advisory`: in the mode of pull requests, where so few seeds
    cannot tell, it does not fail even a strict gate. `one_candidate`: one seed against several of the base.
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
    power_by_seeds: Mapping[int, float] | None = None
    advisory: bool = False
    one_candidate: bool = False


@dataclass(frozen=True)
class Report:
    """All verdicts, averages first, those on what was measured; reasons why something cannot be compared; notes;
    what differs between the runs' specs.
    """

    base: str
    candidate: str
    rows: tuple[Judged, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    strict: bool
    measured: tuple[Measured, ...] = ()
    alpha: float = ALPHA
    differences: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """Of the gate, the first that applies. What cannot be compared comes first: then not all was judged. A
        regression is one whatever else is not valid; a measurement that is not valid is no pass.
        """
        rows: list[Judged | Measured] = [*self.rows, *self.measured]
        verdicts = {row.verdict for row in rows}
        if self.reasons or not rows:
            return INCOMPATIBLE
        if "REGRESSED" in verdicts:
            return REGRESSION
        if "INVALID" in verdicts:
            return INVALID
        return INCONCLUSIVE if any(self.fails(row) for row in rows) else OK

    def fails(self, row: Judged | Measured) -> bool:
        """Whether this verdict alone would fail the gate."""
        advisory = isinstance(row, Judged) and row.advisory
        return row.verdict in ("REGRESSED", "INVALID") or (
            self.strict and row.verdict == "INCONCLUSIVE" and not advisory
        )

    @property
    def outcome(self) -> str:
        return {
            OK: "passed",
            REGRESSION: "regressed",
            INCONCLUSIVE: "inconclusive",
            INCOMPATIBLE: "not comparable",
            INVALID: "measurement invalid",
        }[self.exit_code]


def judge(
    base: RunResults, candidate: RunResults, spec: GateSpec, measurements: Sequence[Measurement] = ()
) -> tuple[Report, list[Pair]]:
    """Judge a candidate. Returns the pairs as well, for flip reports.

    Alpha is 0.05 for the whole gate: half is for the averages, half for the tasks, each split over its models and tasks
    by Holm; all is for the tasks where there is no average of several. Verdicts in this order: IDENTICAL, where all
    predictions are; REGRESSED, where a seed failed, or where the drop is significant and at least the margin; OK, where
    the 95 % interval ends below `ok_margin`; else INCONCLUSIVE. What was measured is judged by `judge_measured`.
    """
    notes: list[str] = []
    pairs = named_pairs(base, candidate, spec.models)
    if pairs:
        base, candidate, notes = _only(base, candidate, pairs)
    base, candidate, unmatched, remarks = matched(base, candidate)
    notes += remarks
    _check_names(base, spec)
    spec = spec.over([base.margins[suite] for suite in base.suites if suite in base.margins])
    alignment = align(base, candidate, tuple(spec.allow), spec.seeds_at_most, pairs)
    tasks = [estimate(pair) for pair in alignment.pairs]
    averages = _averages(base, tasks)
    fraction = ALPHA / 2 if averages else ALPHA
    rows: list[Judged] = []
    for group in (averages, [_Row(estimated.pair.task, estimated.pair.model, estimated) for estimated in tasks]):
        adjusted = holm([row.estimated.p for row in group])
        strictest = fraction / max(1, len(group))
        for row, p in zip(group, adjusted, strict=True):
            rows.append(_judged(row, min(1.0, p * ALPHA / fraction), strictest, spec))
    notes += partly_random(base, candidate)
    notes += contaminated(base, candidate)
    notes += alignment.notes
    notes += _few_seeds(alignment.pairs, spec)
    if any(row.seeds == 1 and row.verdict != "IDENTICAL" for row in rows):
        notes.append(
            "one seed says nothing of how scores vary between trainings: its verdicts are of these very models, and a "
            "mere retraining may be called a regression; use three seeds or more to judge a model spec"
        )
    report = Report(
        base.name, candidate.name, tuple(rows), (*unmatched, *alignment.reasons), tuple(notes), spec.strict,
        differences=differences(base, candidate, pairs),
    )  # fmt: skip
    return with_measurements(report, measurements, alignment.pairs, spec), alignment.pairs


def with_measurements(
    report: Report, measurements: Sequence[Measurement], pairs: Sequence[Pair], spec: GateSpec
) -> Report:
    """The report with verdicts on what was measured in place of those it had."""
    if not measurements:
        return report
    rows, reasons, notes = judge_measured(measurements, pairs, spec)
    return replace(
        report,
        measured=tuple(rows),
        reasons=(*report.reasons, *(reason for reason in reasons if reason not in report.reasons)),
        notes=(*report.notes, *(note for note in notes if note not in report.notes)),
    )


def _few_seeds(pairs: Sequence[Pair], spec: GateSpec) -> list[str]:
    """Deterministic models have one seed whatever is asked for."""
    wanted = spec.seeds_at_most
    counts = {len(pair.seeds) + len(pair.failed) for pair in pairs if not pair.one_candidate}
    if wanted is None or not counts or min(counts) >= wanted or max(counts) == 1:
        return []
    asked = f"mode {spec.mode} asks for {wanted} seeds" if spec.mode else f"{wanted} seeds are asked for"
    return [f"{asked}, but the baseline has {min(counts)}; accept one with more to have the power of more"]


def _check_names(base: RunResults, spec: GateSpec) -> None:
    """A margin for something that is not there would be no margin."""
    for task in spec.tasks:
        if task not in base.tasks:
            raise unknown("task", task, base.tasks, f"the margins; the baseline is {base.name}")
    known = {name for task_split in base.task_splits.values() for name in task_split.metrics}
    for metric in spec.metrics:
        if metric not in known:
            raise unknown("metric", metric, known, f"the margins; the baseline is {base.name}")


def named_pairs(base: RunResults, candidate: RunResults, names: Sequence[str]) -> dict[str, str]:
    """From models of the base to those of the candidate: `MODEL` where both are called so, or `BASE=CANDIDATE`.

    A compressed model's name may hold an `=` of its own.
    """
    pairs = {}
    for name in names:
        cuts = [at for at, letter in enumerate(name) if letter == "="]
        cut = next((at for at in cuts if name[:at] in base.models), None)
        if name in base.models:
            pairs[name] = name
        elif cut is None:
            raise unknown("model", name.partition("=")[0], base.models, f"the baseline {base.name}")
        elif name[cut + 1 :] not in candidate.models:
            raise unknown("model", name[cut + 1 :], candidate.models, f"the candidate {candidate.name}")
        else:
            pairs[name[:cut]] = name[cut + 1 :]
    return pairs


def with_compressed(base: RunResults, candidate: RunResults) -> list[str]:
    """Names for `GateSpec.models` that pair each model the candidate lacks with the one that was made of it."""
    names = []
    for model in base.models:
        made_of_it = compressed(model, candidate.models)
        only_that = model not in candidate.models and len(made_of_it) == 1
        names.append(f"{model}={made_of_it[0]}" if only_that else model)
    return names if any("=" in name for name in names) else []


def _only(
    base: RunResults, candidate: RunResults, pairs: Mapping[str, str]
) -> tuple[RunResults, RunResults, list[str]]:
    left_out = [model for model in base.models if model not in pairs]
    notes = [f"not judged, since --model names others: {', '.join(left_out)}"] if left_out else []
    kept = tuple(model for model in candidate.models if model in pairs.values())
    return base.only(tuple(pairs)), candidate.only(kept) if kept else candidate, notes


@dataclass(frozen=True)
class _Row:
    task: str
    model: str
    estimated: Estimated
    members: tuple[Estimated, ...] = ()


def _averages(base: RunResults, tasks: Sequence[Estimated]) -> list[_Row]:
    """For each suite and model with several averaged tasks that were compared, the mean of their drops."""
    rows = []
    models = dict.fromkeys(estimated.pair.model for estimated in tasks)
    for suite, tasks_averaged in base.suites.items():
        for model in models:
            of_suite = [
                estimated
                for estimated in tasks
                if estimated.pair.model == model and estimated.pair.task in tasks_averaged
            ]
            averageable = [
                estimated for estimated in of_suite if estimated.drop is not None and estimated.is_averageable
            ]
            if len(averageable) > 1:
                name = AVERAGE if len(base.suites) == 1 else f"{AVERAGE} of {suite}"
                rows.append(_Row(name, model, averaged(averageable), tuple(averageable)))
    return rows


def _judged(row: _Row, p: float, alpha: float, spec: GateSpec) -> Judged:
    estimated, pair = row.estimated, row.estimated.pair
    members = row.members or (estimated,)
    names = tuple(dict.fromkeys(metric.name for task_split in pair.task_splits for metric in counted(task_split)))
    margin = fmean(spec.margin_of(each.pair.task, _names(each.pair)) for each in members)
    ok_margin = spec.ok_margin_of(margin)
    drop = estimated.drop
    failed = dict(pair.failed) if not row.members else {}
    of_seeds = len(pair.seeds) + len(failed)
    improved = drop is not None and estimated.high < 0
    verdict: Verdict
    if failed:
        seed, cause = next(iter(failed.items()))
        verdict, reason = "REGRESSED", f"{len(failed)} of {of_seeds} seeds failed: seed {seed}: {cause}"
    elif estimated.identical:
        what = "score of an example" if any(task_split.scores_only for task_split in pair.task_splits) else "prediction"
        verdict, reason = "IDENTICAL", f"every {what} is the base's"
    elif drop is not None and p < ALPHA and drop.value >= margin:
        verdict, reason = "REGRESSED", f"a significant drop of at least {points(margin)} points"
    elif estimated.high < ok_margin:
        reason = "better, significantly" if improved else f"the drop is surely below {points(ok_margin)} points"
        verdict = "OK"
    else:
        verdict, reason = "INCONCLUSIVE", f"no significant drop, but one of {points(ok_margin)} points is not excluded"
    one_candidate = any(each.pair.one_candidate for each in members)
    power = drop.power(ok_margin, alpha, margin) if drop is not None else None
    by_seeds, power_by_seeds = {}, {}
    for seeds in SEED_MODES.values():
        other = drop.with_seeds(seeds) if drop is not None and not one_candidate else None
        if other is not None:
            by_seeds[seeds] = other.detectable(alpha, margin)
            power_by_seeds[seeds] = other.power(ok_margin, alpha, margin)
    return Judged(
        model=pair.model,
        task=row.task,
        metrics=() if row.members else names,
        n=sum(task_split.n for each in members for task_split in each.pair.task_splits),
        seeds=len(pair.seeds),
        base=fmean(_score(each.pair, 0) for each in members) if pair.seeds else None,
        candidate=fmean(_score(each.pair, 1) for each in members) if pair.seeds else None,
        drop=drop.value if drop is not None else None,
        low=estimated.low if drop is not None else None,
        high=estimated.high if drop is not None else None,
        p=p if drop is not None else None,
        test=estimated.test,
        margin=margin,
        ok_margin=ok_margin,
        detectable=drop.detectable(alpha, margin) if drop is not None else None,
        power=power,
        verdict=verdict,
        reason=reason,
        improved=improved,
        failed=failed or None,
        by_seeds=by_seeds or None,
        power_by_seeds=power_by_seeds or None,
        advisory=spec.mode == "pr" and verdict == "INCONCLUSIVE" and power is not None and power < POWER,
        one_candidate=one_candidate,
    )


def _names(pair: Pair) -> list[str]:
    return [metric.name for task_split in pair.task_splits for metric in counted(task_split)]


def _score(pair: Pair, place: int) -> float:
    """A task's score: the mean over splits, metrics and paired seeds."""
    return fmean(
        both[place].scores[metric.name]["value"]
        for task_split in pair.task_splits
        for metric in counted(task_split)
        for both in pair.scored[task_split.split]
    )


def points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def judge_all(base: RunResults, candidate: RunResults, spec: GateSpec) -> tuple[Report, list[Pair]]:
    """As `judge`, of all models where none is named, compressed ones beside their originals.

    Raises:
        HarnessError: the two have nothing that can be compared.
    """
    if not spec.models:
        spec = spec.model_copy(update={"models": with_compressed(base, candidate)})
    report, pairs = judge(base, candidate, spec)
    if not pairs:
        raise HarnessError(f"nothing to compare: {'; '.join(report.reasons[:3]) or 'no task in common'}")
    return report, pairs

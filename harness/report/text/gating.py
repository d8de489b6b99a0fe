"""Comparisons, verdicts and baselines for a reader, and the files a gate writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import short
from harness.core.registry import load_registry
from harness.core.store import Store, write_atomically
from harness.gating import baseline
from harness.gating.engine import Report, judge, judge_all, with_measurements
from harness.gating.flips import Flips, Texts, flips_of, slices_of, texts_of, without_texts
from harness.gating.layers import Layer, finder, layers_of
from harness.gating.measured import Measurement
from harness.gating.pairing import Pair
from harness.gating.run_results import RunResults
from harness.gating.settings import GateSpec
from harness.report.text import gate_formats as gate_formats
from harness.report.text.text import columns


@dataclass(frozen=True)
class ReportFiles:
    """What a gate writes beside its table."""

    as_json: bool = False
    report: Path | None = None
    junit: Path | None = None
    summary: Path | None = None
    comment: Path | None = None
    annotations: bool = False


def compare(
    base: RunResults,
    candidate: RunResults,
    spec: GateSpec,
    by: str,
    as_json: bool,
    include: Sequence[str],
    stores: Sequence[Store] = (),
) -> str:
    """The paired table and flips; by `slice` or `layer` those as well. Models are looked for in `stores`.

    Raises:
        HarnessError: nothing of the two can be compared, or there are no models whose layers could be.
    """
    report, pairs = judge_all(base, candidate, spec)
    texts = texts_of(base, candidate, include)
    flips = [flip for pair in pairs for flip in flips_of(pair, texts)]
    flips = flips if spec.texts else [without_texts(flip) for flip in flips]
    slices = [slice_ for pair in pairs for slice_ in slices_of(pair, texts)] if by == "slice" else []
    layers = _layers(pairs, texts, include, stores) if by == "layer" else []
    if as_json:
        return gate_formats.to_json(report, flips, slices, layers)
    parts = [gate_formats.table(report)]
    if layers:
        parts.append(gate_formats.layer_text(layers))
    if slices:
        parts.append(gate_formats.slice_text(slices))
    if text := gate_formats.flip_text(flips):
        parts.append(f"### right→wrong\n\n{text}")
    return "\n\n".join(parts)


def _layers(pairs: Sequence[Pair], texts: Texts, include: Sequence[str], stores: Sequence[Store]) -> list[Layer]:
    registry = load_registry(include)
    find = finder(stores)
    return [layer for pair in pairs for layer in layers_of(pair, registry.task(pair.task), texts, find)]


def gate(
    base: RunResults,
    candidate: RunResults,
    spec: GateSpec,
    wanted: ReportFiles,
    include: Sequence[str],
    measurements: Sequence[Measurement] = (),
    measure_again: Callable[[Measurement], Measurement | None] | None = None,
    benchmarks: Report | None = None,
) -> tuple[str, list[str], int]:
    """Judge, write every file asked for, and return what to print, lines for GitHub's runner, and the exit code.

    `measure_again` gives a fresh measurement of what may be worse in one that has no second; `benchmarks` is a report
    of its own that joins this one.
    """
    report, pairs = judge(base, candidate, spec, measurements)
    if measure_again is not None and not report.reasons:
        fresh = [measure_again(measurement) for measurement in measurements]
        report = with_measurements(
            report, [*measurements, *(measurement for measurement in fresh if measurement)], pairs, spec
        )
    if benchmarks is not None:
        report = replace(
            report,
            measured=(*report.measured, *benchmarks.measured),
            reasons=(*report.reasons, *benchmarks.reasons),
            notes=(*report.notes, *benchmarks.notes),
        )
    with_flips = wanted.as_json or wanted.report or wanted.comment or wanted.summary
    flips = _flips_of_changed(pairs, texts_of(base, candidate, include)) if with_flips else []
    flips = flips if spec.texts else [without_texts(flip) for flip in flips]
    return publish(report, flips, wanted)


def publish(report: Report, flips: Sequence[Flips], wanted: ReportFiles) -> tuple[str, list[str], int]:
    """Write every file asked for, and return what to print, lines for GitHub's runner, and the exit code."""
    if wanted.report:
        write_atomically(wanted.report, gate_formats.to_json(report, flips) + "\n")
    if wanted.junit:
        write_atomically(wanted.junit, gate_formats.to_junit(report))
    if wanted.comment:
        write_atomically(wanted.comment, gate_formats.to_comment(report, flips))
    if wanted.summary:
        _append(wanted.summary, gate_formats.to_summary(report, flips))
    text = gate_formats.to_json(report, flips) if wanted.as_json else gate_formats.table(report)
    commands = gate_formats.to_annotations(report) if wanted.annotations and not wanted.as_json else []
    return text, commands, report.exit_code


def _flips_of_changed(pairs: Sequence[Pair], texts: Texts) -> list[Flips]:
    """Texts are read again only where a prediction changed."""
    changed = [
        pair
        for pair in pairs
        if any(
            base_score.prediction_hash != candidate_score.prediction_hash
            for scored_pairs in pair.scored.values()
            for base_score, candidate_score in scored_pairs
        )
    ]
    return [flip for pair in changed for flip in flips_of(pair, texts)]


def _append(path: Path, text: str) -> None:
    """A step summary is one file that several commands add to."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error.strerror}") from None


def baselines_text(folder: Path, as_json: bool) -> tuple[str, bool]:
    """The baselines in a folder, and whether all are sound."""
    baselines = baseline.listed(folder)
    sound = all(not isinstance(content, str) for _, content in baselines)
    rows, lines = [], []
    for path, content in baselines:
        kilobytes = round(path.stat().st_size / 1000)
        row: dict[str, Any] = {"name": path.stem, "kilobytes": kilobytes}
        line = [path.stem, f"{kilobytes} KB"]
        if isinstance(content, str):
            rows.append(row | {"error": content})
            lines.append([*line, "", "", "", content])
            continue
        seeds = len({score.seed for score in content.scores})
        tasks = list(dict.fromkeys(task_split.task for task_split in content.task_splits))
        kept = {"accepted": content.accepted, "run": content.run, "models": content.models}
        rows.append(row | kept | {"tasks": tasks, "seeds": seeds})
        lines.append([*line, content.accepted, str(seeds), ", ".join(content.models), ", ".join(tasks)])
    if as_json:
        return json.dumps(rows, indent=1, ensure_ascii=False), sound
    if not rows:
        return f"no baselines in {folder}; make one with `harness baseline accept RUN --name NAME`", True
    return columns(lines, ["name", "size", "accepted", "seeds", "models", "tasks"]), sound


def baseline_text(results: RunResults, as_json: bool) -> str:
    """A baseline without its predictions."""
    if as_json:
        return json.dumps(baseline.facts(results), indent=1, ensure_ascii=False)
    versions = results.environment.get("versions", {})
    head = [
        f"baseline  {results.name}, of a run of {results.created}",
        f"suites    {', '.join(results.suites)}",
        f"versions  {', '.join(f'{name} {version}' for name, version in versions.items())}",
    ]
    parts = [
        [task_split.task, task_split.split, str(task_split.version), str(task_split.n), task_split.source,
         short(task_split.data), ", ".join(f"{name} {version}" for name, version in task_split.metrics.items())]
        for task_split in results.task_splits.values()
    ]  # fmt: skip
    scores = [
        [task, split, model, str(seed), short(score.model_id), _scores(score.scores)]
        for (model, task, split, seed), score in results.scored.items()
    ]
    return "\n\n".join(
        [
            "\n".join(head),
            columns(parts, ["task", "split", "version", "examples", "source", "data", "metrics (version)"]),
            columns(scores, ["task", "split", "model", "seed", "id", "scores"]),
        ]
    )


def diff_text(base: RunResults, other: RunResults, as_json: bool) -> str:
    """What differs between two, each a line: what, before, after."""
    lines = _differences(base, other)
    if as_json:
        return json.dumps(
            [dict(zip(("what", "before", "after"), line, strict=True)) for line in lines], indent=1, ensure_ascii=False
        )
    return columns(lines, ["what", base.name, other.name]) if lines else "no difference"


def _differences(base: RunResults, other: RunResults) -> list[list[str]]:
    facts: dict[str, list[str]] = {}

    def note(what: str, place: int, value: str) -> None:
        facts.setdefault(what, ["absent", "absent"])[place] = value

    for place, results in enumerate((base, other)):
        for suite, averaged in results.suites.items():
            note(f"suite {suite}", place, ", ".join(averaged))
        for (task, split), task_split in results.task_splits.items():
            note(f"{task} {split} version", place, str(task_split.version))
            note(f"{task} {split} data", place, f"{task_split.n} examples, {short(task_split.data)}")
            for metric, version in task_split.metrics.items():
                note(f"{task} {split} {metric} version", place, str(version))
        for (model, task, split, seed), scored in results.scored.items():
            where = f"{model} on {task} {split} seed {seed}"
            note(where, place, f"{_scores(scored.scores)}, predictions {short(scored.prediction_hash)}")
            note(f"{model} on {task} id", place, short(scored.model_id))
            note(f"{model} on {task} tokenizer", place, short(scored.tokenizer or "none"))
            note(f"{model} on {task} training data", place, short(scored.trained_on))
        for name, version in results.environment.get("versions", {}).items():
            note(f"version of {name}", place, version)
    return [[what, *values] for what, values in facts.items() if values[0] != values[1]]


def _scores(scores: Any) -> str:
    return ", ".join(f"{name} {value['value']:.4f}" for name, value in scores.items())

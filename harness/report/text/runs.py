"""Runs and their leaderboards, from records. Imports no model code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from harness.core.cell_records import ContaminationRecord, ModelRecord, PretrainRecord, ScoreRecord
from harness.core.contamination import KIND, with_contamination
from harness.core.errors import DamagedRunError, HarnessError, StoredFileError
from harness.core.facts import CellRecord, Interval
from harness.core.hashing import short
from harness.core.manifests import RUNNING
from harness.core.measurement_records import MeasureRecord
from harness.core.meta_records import MetaRecord
from harness.core.part_records import AttackRecord
from harness.core.predictions import reading_notes
from harness.core.record_index import RecordIndex, no_collecting
from harness.core.run_records import RunManifest
from harness.core.runs import asked_for, measured_in, with_names
from harness.core.search_records import TuneRecord
from harness.core.specs import NOISE_MARK, SuiteSpec
from harness.core.store import Store
from harness.core.text import say
from harness.report.tables import efficiency, formats, leaderboard
from harness.report.tables.layout import Layout, laid_out
from harness.report.tables.report_format import FORMATS, check_other_table
from harness.report.tables.resources import kinds_of
from harness.report.tables.table import Table
from harness.report.text.measured import pareto_text, with_resources
from harness.report.text.measuring import measured_text
from harness.report.text.searching import search_text, searches_of, summary
from harness.report.text.text import cell_text, columns


def summary_line(manifest: RunManifest) -> str:
    """`run NAME: 27 cells: 20 done, 7 cached, in 1:10`, failures first among the words."""
    statuses = {cell.cell: cell.status for cell in manifest.cells}
    counts = {
        status: list(statuses.values()).count(status) for status in ("failed", "skipped", "done", "cached", "missing")
    }
    counted = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    seconds = manifest.timings.seconds
    lines = [f"run {manifest.run}: {len(statuses)} cells: {counted}, in {seconds:.1f} s"]
    causes = dict.fromkeys(cell.cause for cell in manifest.cells if cell.status == "failed")
    return "\n".join([*lines, *(f"  failed: {cause}" for cause in causes)])


def score_records(store: Store, manifests: Sequence[RunManifest]) -> list[ScoreRecord]:
    """The score records of runs, each once under each name; a damaged one is named on stderr and left out."""
    asked = asked_for(manifests, "score")
    leaked = store.find_all(asked_for(manifests, KIND), say_damaged, ContaminationRecord)
    return with_contamination(with_names(store.find_all(asked, say_damaged, ScoreRecord), asked), leaked)


def indexed_scores(
    index: RecordIndex, manifests: Sequence[RunManifest], damaged: Callable[[StoredFileError], None]
) -> list[ScoreRecord]:
    """As `score_records`, of what the index keeps of them."""
    asked = asked_for(manifests, "score")
    leaked = index.read(asked_for(manifests, KIND), damaged, ContaminationRecord)
    return with_contamination(with_names(_drained(index.read(asked, damaged, ScoreRecord)), asked), leaked)


def _drained(records: list[ScoreRecord]) -> Iterator[ScoreRecord]:
    """Those of a list, which lets go of each."""
    records.reverse()
    while records:
        yield records.pop()


def say_damaged(error: StoredFileError) -> None:
    """Names a damaged record or run on stderr."""
    say(f"damaged: {error}; {left_out(error)}")


def left_out(error: StoredFileError) -> str:
    """What becomes of a damaged file, and what to do; a run's error says the latter."""
    return "left out" if isinstance(error, DamagedRunError) else "left out, run its run again"


@no_collecting()
def leaderboard_text(
    store: Store,
    names: Sequence[str],
    style: str = "markdown",
    layout: Layout | None = None,
    show: str | None = None,
    pareto: Path | None = None,
) -> str:
    """The tables of the named runs, or of all runs, in a registered format (`markdown`, `csv`, …); with columns of what
    `show` names (`speed,size`), or as the fronts drawn into the file `pareto` where one is given.

    Raises:
        HarnessError: no run, none with a score, a column that no table has, or as `with_resources` and `pareto_text`
            do.
    """

    index = RecordIndex(store)
    tables, records = _tables(store, index, names)
    if pareto is not None:
        return pareto_text(store, index, records, tables, style, pareto)
    layout = layout or formats.PLAIN
    tables = laid_out(with_resources(store, index, records, tables, kinds_of(show)), layout)
    return FORMATS.get(style).render(tables, layout)


def efficiency_text(store: Store, names: Sequence[str], style: str, plot: Path | None) -> str:
    """Averages by the fraction of the training examples, as `markdown` or `json`; `plot` is a file for the curves.

    Raises:
        HarnessError: no run, none with an average, another style, or several suites or sources for one plot.
    """

    check_other_table("--by-fraction", style)
    tables, _ = _tables(store, RecordIndex(store), names)
    efficiencies = efficiency.build(tables, [formats.title(table) for table in tables])
    if not efficiencies:
        raise HarnessError("no model has an average to show by how many training examples it saw")
    if plot is not None:
        if len(efficiencies) > 1:
            raise HarnessError(
                f"--plot draws one suite on one source, here are {len(efficiencies)}; name the runs to draw"
            )
        efficiency.plot(efficiencies[0], plot)
    if style == "json":
        return efficiency.to_json(efficiencies)
    return "\n".join(efficiency.to_markdown(efficiency_table) for efficiency_table in efficiencies).rstrip("\n")


def _tables(store: Store, index: RecordIndex, names: Sequence[str]) -> tuple[list[Table], list[ScoreRecord]]:
    """The tables, and the records they are made of, as the index keeps them."""

    manifests, records = scored_runs(store, index, names, say_damaged)
    return leaderboard.build(records, suites_of(manifests)), records


def scored_runs(
    store: Store, index: RecordIndex, names: Sequence[str], damaged: Callable[[StoredFileError], None]
) -> tuple[list[RunManifest], list[ScoreRecord]]:
    """The manifests of the named runs, or of all runs, and their score records, as the index keeps them.

    Raises:
        HarnessError: no run, or none with a score.
    """
    manifests, records = runs_and_scores(store, index, names, damaged)
    if not records:
        raise without_scores(store, names, manifests)
    return manifests, records


def runs_and_scores(
    store: Store, index: RecordIndex, names: Sequence[str], damaged: Callable[[StoredFileError], None]
) -> tuple[list[RunManifest], list[ScoreRecord]]:
    """As `scored_runs`, whether there are scores or not. Raises HarnessError where there is no run."""
    manifests = store.runs(names, damaged)
    for manifest in manifests:
        if manifest.status == RUNNING:
            done = sum(cell.is_there for cell in manifest.cells)
            say(f"run {manifest.run} still works: {done} of {len(manifest.cells)} cells are done")
    return manifests, indexed_scores(index, manifests, damaged)


def without_scores(store: Store, names: Sequence[str], manifests: Sequence[RunManifest]) -> HarnessError:
    """The error for runs that have no score: one still works, or what failed first."""
    if working := [manifest for manifest in manifests if manifest.status == RUNNING]:
        return HarnessError(f"no scores yet in {store.root}: run {working[-1].run} still works")
    causes = [cell.cause for manifest in manifests for cell in manifest.cells if cell.cause]
    return HarnessError(f"no scores in {'these runs' if names else store.root}{f': {causes[0]}' if causes else ''}")


def suites_of(manifests: Sequence[RunManifest]) -> list[SuiteSpec]:
    """The suites of runs, the newest first; those that differ in tasks under noise alone are one."""
    suites: dict[tuple[str, ...], SuiteSpec] = {}
    for manifest in reversed(manifests):
        for suite in manifest.suites:
            key = (suite.name, *(task for task in suite.tasks if NOISE_MARK not in task))
            known = suites[key].tasks if key in suites else []
            spec = SuiteSpec.model_construct(
                name=suite.name,
                version=suite.version,
                description="",
                tasks=list(dict.fromkeys([*suite.tasks, *known])),
                average=suite.averaged,
                average_by=suite.average_by,
            )
            suites[key] = spec
    return list(suites.values())


def run_json(store: Store, name: str) -> str:
    """A run's manifest with its score records."""
    manifest = store.run(name)
    keep = (
        "cell",
        "task",
        "split",
        "model",
        "seed",
        "n",
        "data",
        "scores",
        "selection",
        "lineage",
        "predictions",
        "decoding",
        "attack",
        "runtime",
        "timings",
    )
    contents = [record.as_json() for record in score_records(store, [manifest])]
    scores = [{key: content[key] for key in keep if key in content} for content in contents]
    searches = [record.as_json() for record in searches_of(store, manifest)]
    content = {**manifest.as_json(), "scores": scores, **({"searches": searches} if searches else {})}
    return json.dumps(content, indent=1, ensure_ascii=False)


def run_text(store: Store, name: str) -> str:
    """A run for a reader: head, cells with scores, notes on the data, failures with their causes."""
    manifest = store.run(name)
    spec = {key: value for key, value in manifest.spec.items() if value not in (None, [], False)}
    head = [
        f"run       {manifest.run}",
        f"status    {manifest.status}, {manifest.created}, {manifest.timings.seconds:.1f} s",
        f"asked     {', '.join(f'{key} {cell_text(value)}' for key, value in spec.items())}",
        f"machine   {manifest.environment.cpu.model}, {manifest.environment.cores} cores, "
        f"{manifest.environment.threads} thread(s) a process",
    ]
    rows: list[list[str]] = []
    notes: dict[str, None] = {}
    asked = asked_for([manifest])
    for cell in manifest.cells:
        record = _record(store, cell.cell)
        if isinstance(record, MeasureRecord):
            record = measured_in(record, asked)
        seconds = f"{record.timings.seconds:.1f} s" if record else ""
        rows.append(
            [short(cell.cell), cell.kind, cell.task, cell.split or "", cell.model, str(cell.seed),
             cell.status, seconds, _scores_text(record) if record else ""]
        )  # fmt: skip
        if isinstance(record, ScoreRecord):
            for note in record.data.notes:
                notes[f"{cell.task}: {note}"] = None
            for note in reading_notes(record.read, cell.split or ""):
                notes[f"{cell.task} {cell.model}: {note}"] = None
            if record.selection.note:
                notes[f"{cell.task} {cell.model}: {record.selection.note}"] = None
    table = columns(
        rows, ["cell", "kind", "task", "split", "model", "seed", "status", "time", "scores [95 % interval]"]
    )
    parts = ["\n".join(head), table, *map(search_text, searches_of(store, manifest))]
    if manifest.absent:
        parts.append("absent\n" + "\n".join(f"  {task}: {reason}" for task, reason in manifest.absent.items()))
    if manifest.not_applicable:
        lines = [f"  {cell.model} on {cell.task}: {cell.reason}" for cell in manifest.not_applicable]
        parts.append("\n".join(["not applicable", *lines]))
    if notes:
        parts.append("notes\n" + "\n".join(f"  {note}" for note in notes))
    failed = [cell for cell in manifest.cells if cell.status in ("failed", "skipped")]
    if failed:
        lines = [f"  {cell.kind} {cell.task} {cell.model} seed {cell.seed}: {cell.cause}" for cell in failed]
        where = f"  tracebacks: {store.root / 'failures'}"
        parts.append("\n".join(["failures", *lines, where]))
    return "\n\n".join(parts)


def _record(store: Store, key: str) -> CellRecord | None:
    try:
        return store.find(key)
    except StoredFileError as error:
        say(f"damaged: {error}")
        return None


def _scores_text(record: CellRecord) -> str:
    if isinstance(record, MeasureRecord):
        return measured_text(record)
    if isinstance(record, TuneRecord):
        return summary(record)
    if isinstance(record, PretrainRecord):
        took = f"{record.fit.steps:,} steps, {record.fit.tokens:,} {record.fit.unit}"
        return ", ".join([took, *(f"{name} {_interval(score)}" for name, score in record.scores.items())])
    if isinstance(record, MetaRecord):
        return (
            f"{record.method}, {record.fit.steps:,} steps, {record.fit.episodes:,} episodes, loss {record.fit.loss:.3f}"
        )
    if isinstance(record, AttackRecord):
        return f"{record.succeeded} of {record.n} examples, from number {record.first + 1} on, fool it"
    if not isinstance(record, ScoreRecord):
        counted = record.model.parameters if isinstance(record, ModelRecord) else None
        return "parameters not counted" if counted is None else f"{counted:,} parameters"
    if not record.scores:
        return f"no labels; {record.n} predictions written"
    return ", ".join(f"{name} {_interval(score)}" for name, score in record.scores.items())


def _interval(score: Interval) -> str:
    return f"{score.value:.4f} [{score.low:.4f}, {score.high:.4f}]"

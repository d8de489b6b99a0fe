"""The page of a store: gathers runs, records, predictions and texts, and writes one HTML file."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from harness.core.attacked_examples import AttackedExample, read_attacked
from harness.core.cell_records import CompressRecord, ModelRecord, PretrainRecord, ScoreRecord
from harness.core.errors import HarnessError, StoredFileError
from harness.core.measurement_records import MeasureRecord
from harness.core.predictions import PREDICTIONS, read_ids, read_logits, read_predictions
from harness.core.ranks import read_retrieved
from harness.core.record_index import RecordIndex, no_collecting
from harness.core.run_records import ModelNames, RunManifest
from harness.core.runs import asked_for, named, with_names
from harness.core.store import Store, write_atomically
from harness.core.version import __version__
from harness.report.page import answers, attacked, cards, charts, examples, history, lineage, pretrainings, tables
from harness.report.page.charts import Trained
from harness.report.page.examples import MODELS, Predicted
from harness.report.page.items import Gallery
from harness.report.page.model import Page, Section, Titled
from harness.report.page.render import render
from harness.report.page.resources import Resources, resources_of
from harness.report.page.text import counted
from harness.report.tables import (
    attacks,
    calibration,
    compression,
    efficiency,
    leaderboard,
    out_of_distribution,
    pretraining,
    ranks,
    selective,
    worst_group,
)
from harness.report.tables.comparable import Draft
from harness.report.tables.measured import Measured
from harness.report.tables.measured import read as read_measured
from harness.report.tables.pretraining import CHANCE
from harness.report.tables.resources import KINDS, with_resources
from harness.report.tables.table import Table
from harness.report.text.calibrating import calibration_reader, detection_reader, selective_reader
from harness.report.text.grouping import answers_reader, texts_reader
from harness.report.text.judging import judge_reader, kept_comparer, kept_test
from harness.report.text.measured import measurement_keys, weights_in
from harness.report.text.runs import left_out, runs_and_scores, say_damaged, suites_of, without_scores
from harness.training.curves import LOSSES, read_losses

Made = dict[str, ModelRecord]
"""The records of the cells that made models, by key."""
T = TypeVar("T")


RANKED = 12
"""Models of a table that the page ranks with ties; `harness leaderboard --ranks` has all of them."""
CUT = "Of the first models of each table; `harness leaderboard --{}` has all of them."


def write_page(store: Store, names: Sequence[str], path: Path, include: Sequence[Path] = ()) -> str:
    """Write the page of the named runs, or of all runs, to `path`; returns a line that says what is in it.

    Raises:
        HarnessError: no run, none with a score, or the file cannot be written.
    """

    if path.suffix.lower() not in (".html", ".htm"):
        raise HarnessError(f"--html {path}: the ending must be .html")
    if path.is_dir() or not path.parent.is_dir():
        raise HarnessError(f"--html {path}: {'that is a folder' if path.is_dir() else f'no folder {path.parent}'}")
    with no_collecting():
        page = build_page(store, names, include)
        html = render(page)
    write_atomically(path, html)
    models = {line.label for section in page.sections for line in section.lines}
    contents = ", ".join(
        counted(number, what)
        for number, what in (
            (len(page.sections), "table"),
            (len(models), "model"),
            (sum(row[0] != CHANCE for grid in page.pretrainings for row in grid.rows), "pretraining"),
        )
        if number
    )
    return f"{path}: {contents}, {len(html.encode()) / 1000:,.0f} kB"


def build_page(store: Store, names: Sequence[str], include: Sequence[Path] = ()) -> Page:
    """All the page shows; what is damaged is left out and named on it.

    Raises:
        HarnessError: no run, or none with a score or a pretraining.
    """

    files = Files(store)
    manifests, records = runs_and_scores(store, files.index, names, files.damaged)
    pretrained = files.pretrainings(manifests)
    if not records and not pretrained:
        raise without_scores(store, names, manifests)
    built = leaderboard.build_with_records(records, suites_of(manifests))
    built.sort(key=lambda entry: entry[0].train_fraction != 1)  # whole training sets first
    made = files.makers(records, manifests)
    measured = read_measured(files.measurements())
    known = _resources(records, made, measured)
    weights = weights_in(made)
    placed = []
    for index, (table, draft) in enumerate(built):
        wide = with_resources(table, records, measured, weights, KINDS)
        test = kept_test(store, table, draft, files.stored)
        compare = kept_comparer(store, table, draft, files.stored)
        ranked = ranks.of_table(table, compare, RANKED)
        placed.append((tables.section(f"t{index}", wide, draft, known, test, ranked), wide, draft))
    placed = _told_apart(placed)
    tradeoffs = [
        charts.tradeoffs(section, {column.task: column.scale for column in table.columns}, _scoring(table, draft))
        for section, table, draft in placed
    ]
    whole = [table for table, _ in built]
    tasks = [column.task for table in whole for column in table.columns]
    order = list(dict.fromkeys([*tasks, *(record.task.name for record in records)]))
    compressions = {key: record for key, record in made.items() if isinstance(record, CompressRecord)}
    firsts = {row.model for table in whole for row in table.rows[: examples.MODELS]}
    first_records = [record for record in records if record.model.id in firsts]
    read = texts_reader(manifests, include)
    reports = calibration_reader(store)
    is_cut = any(len(table.rows) > examples.MODELS for table in whole)

    def cut(option: str) -> list[str]:
        return [CUT.format(option)] if is_cut else []

    judge = judge_reader(store, files.stored, files.logits)
    gallery = Gallery()
    runs, environments = history.asked_and_environments(manifests)
    return Page(
        title="Leaderboard",
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        version=__version__,
        sections=tuple(section for section, _, _ in placed),
        pretrainings=pretrainings.grids(pretraining.build(pretrained, {})),
        tradeoffs=tuple(chart for chart in tradeoffs if chart is not None),
        curves=charts.learning_curves(files.losses([*pretrained, *_drawn(placed, made)])),
        efficiency=charts.efficiency_charts(efficiency.build(whole, [section.title for section, _, _ in placed])),
        compression=cards.compression_cards(
            files.unless_damaged(
                "compression",
                lambda: compression.build(records, compressions, order, judge, measured),
            )
        ),
        other_data=answers.other_data_grids(
            files.unless_damaged(
                "other data", lambda: out_of_distribution.build(records, order, detection_reader(store))
            )
        ),
        attacks=attacked.attack_grids(attacks.build(records, order)),
        attacked=tuple(
            files.unless_damaged("attacked examples", lambda: attacked.attack_views(first_records, files.attacked))
        ),
        calibration=cards.calibration_grids(
            files.unless_damaged("calibration", lambda: calibration.build(first_records, order, reports)),
            cut("calibration"),
        ),
        selective=answers.selective_charts(
            files.unless_damaged("curves", lambda: selective.build(first_records, order, selective_reader(store))),
            cut("selective"),
        ),
        groups=answers.worst_group_grids(
            files.unless_damaged(
                "worst groups", lambda: worst_group.build(first_records, order, answers_reader(store, read))
            ),
            cut("worst-group"),
        ),
        lineage=tuple(
            Titled(section.title, lineage.lineages(table, draft, made), section.key) for section, table, draft in placed
        ),
        examples=tuple(
            view
            for section, table, draft in placed
            for view in files.unless_damaged(
                f"examples of {section.title}",
                partial(examples.of_table, section.key, section.title, table, draft, files.predicted, read, gallery),
            )
        ),
        runs=runs,
        environments=environments,
        warnings=tuple(dict.fromkeys(files.warnings)),
    )


def _told_apart(placed: Sequence[tuple[Section, Table, Draft]]) -> list[tuple[Section, Table, Draft]]:
    """Sections of equal titles are numbered: what differs is the data, whose hash stands below each table."""
    titles = [section.title for section, _, _ in placed]
    numbered = []
    for at, (section, table, draft) in enumerate(placed):
        count = titles.count(section.title)
        number = titles[: at + 1].count(section.title)
        title = section.title if count == 1 else f"{section.title}, data {number} of {count}"
        numbered.append((replace(section, title=title), table, draft))
    return numbered


def _scoring(table: Table, draft: Draft) -> dict[str, float]:
    """Seconds that scoring a thousand examples took, by a model's label."""
    tasks = {column.task for column in table.columns}
    by_label = {
        row.label: charts.scoring_seconds(record for record in draft.models[row.model] if record.task.name in tasks)
        for row in table.rows
    }
    return {label: seconds for label, seconds in by_label.items() if seconds is not None}


def _drawn(placed: Sequence[tuple[Any, Table, Draft]], made: Made) -> list[ModelRecord]:
    """The fine-tunings whose losses are drawn beside those of every pretraining: of the tables' first models the first
    seed's, on whole training sets.
    """

    firsts = set()
    for _, table, draft in placed:
        for row in table.rows[:MODELS] if table.train_fraction == 1 else ():
            scored = draft.models[row.model]
            seed = min(record.seed for record in scored)
            firsts |= {record.lineage.first.finetune for record in scored if record.seed == seed}
    return [record for key, record in made.items() if key in firsts]


class Files:
    """Reads what lies beside score records in a store; `warnings` name what was damaged and is left out."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.index = RecordIndex(store)
        self.warnings: list[str] = []

    def damaged(self, error: StoredFileError) -> None:
        """Told of each damaged record."""
        say_damaged(error)
        self.warnings.append(f"{error}; {left_out(error)}.")

    def unless_damaged(self, what: str, build: Callable[[], Sequence[T]]) -> Sequence[T]:
        """What `build` returns; nothing, and a warning, where a file it needs is damaged."""
        try:
            return build()
        except StoredFileError as error:
            self.warnings.append(f"Without {what}: {error}; run its run again.")
            return []

    def makers(self, records: Sequence[ScoreRecord], manifests: Sequence[RunManifest]) -> Made:
        """The records of the cells that made the models, by key, under the first name that the runs give each."""
        keys = {key for record in records for key in record.lineage.first.cells.values()}
        asked = asked_for(manifests)
        fits = self.index.read(sorted(keys), self.damaged)
        return {
            record.cell: named(record, asked.get(record.cell, [ModelNames()])[0])
            for record in fits
            if isinstance(record, ModelRecord)
        }

    def pretrainings(self, manifests: Sequence[RunManifest]) -> list[PretrainRecord]:
        """The records of pretrainings, each once under each name that the runs give it."""
        asked = asked_for(manifests, "pretrain")
        every = with_names(self.store.find_all(asked, self.damaged, PretrainRecord), asked)
        return list({(record.cell, record.model.name): record for record in every}.values())

    def measurements(self) -> Sequence[MeasureRecord]:
        """The records of all measurements in the store, whichever run or command made them."""
        return self.store.find_all(measurement_keys(self.store), self.damaged, MeasureRecord)

    def losses(self, records: Sequence[ModelRecord]) -> list[tuple[str, Trained, list[tuple[float, float]]]]:
        """Losses of the trainings that kept them: a label, the record, (step, loss)."""
        kept = [
            losses
            for record in records
            if LOSSES in record.files and isinstance(record, Trained)
            for losses in self.unless_damaged(f"losses of {record.model.name}", partial(self._losses, record))
        ]
        labels = [label for label, _, _ in kept]
        return [
            (label if labels.count(label) == 1 else f"{label}, {len(points):,} steps", record, points)
            for label, record, points in kept
        ]

    def _losses(self, record: Trained) -> list[tuple[str, Trained, list[tuple[float, float]]]]:
        points = [(float(step), loss) for step, loss in enumerate(read_losses(self.store.file(record.cell, LOSSES)), 1)]
        return [(f"{record.model.name}, seed {record.seed}", record, points)]

    def stored(self, record: ScoreRecord) -> tuple[Any, Any]:
        """Predictions and references of a score record."""
        return read_predictions(self.store.file(record.cell, PREDICTIONS), record.n)[:2]

    def logits(self, record: ScoreRecord) -> Any:
        """Ids, labels and logits of a score record, None where it has none."""
        return read_logits(self.store.file(record.cell, PREDICTIONS))

    def predicted(self, record: ScoreRecord) -> Predicted:
        """Ids, predictions, references and names of classes of a score record."""
        path = self.store.file(record.cell, PREDICTIONS)
        values, references, _ = read_predictions(path, record.n)
        labels = self.store.read(record.cell).labels
        return Predicted(list(read_ids(path)), values, references, labels, read_retrieved(path))

    def attacked(self, record: ScoreRecord) -> tuple[list[AttackedExample], Sequence[str]]:
        """Examples of a score under an attack, and names of classes."""
        return read_attacked(self.store.file(record.cell, PREDICTIONS)), self.store.read(record.cell).labels


def _resources(records: Sequence[ScoreRecord], made: Made, measured: Sequence[Measured]) -> dict[str, Resources]:
    """By model id."""

    makers: dict[str, Made] = {}
    for record in records:
        key = _maker(record)
        if key in made:
            makers.setdefault(record.model.id, {})[key] = made[key]
    return {model: resources_of(records, measured) for model, records in makers.items()}


def _maker(record: ScoreRecord) -> str:
    """The cell that holds the model a score is of; empty where it lies outside the store."""
    return record.lineage.first.maker or record.lineage.pretrain or ""

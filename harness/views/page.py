"""The page of a store: gathers runs, records, predictions and texts, and writes one HTML file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.errors import DamagedFile, HarnessError
from harness.execute.score import PREDICTIONS, read_logits, read_predictions
from harness.page.model import Page, Titled
from harness.page.text import counted
from harness.store import Store
from harness.views.measured import measured_in
from harness.views.runs import scored_runs, suites_of

if TYPE_CHECKING:
    from harness.page.examples import Predicted, Texts
    from harness.page.tables import Resources
    from harness.report.leaderboard import Draft, Table

Record = Mapping[str, Any]
LOSSES = "losses.parquet"
MEASUREMENT = "measurement.json"


def write_page(store: Store, names: Sequence[str], path: Path, include: Sequence[Path] = ()) -> str:
    """Write the page of the named runs, or of all runs, to `path`; returns a line that says what is in it.

    Raises:
        HarnessError: no run, none with a score, or the file cannot be written.
    """
    from harness.page.render import render
    from harness.store import write_atomically

    if path.suffix.lower() not in (".html", ".htm"):
        raise HarnessError(f"--html {path}: the ending must be .html")
    if path.is_dir() or not path.parent.is_dir():
        raise HarnessError(f"--html {path}: {'that is a folder' if path.is_dir() else f'no folder {path.parent}'}")
    page = build_page(store, names, include)
    html = render(page)
    write_atomically(path, html)
    models = {line.label for section in page.sections for line in section.lines}
    said = f"{counted(len(page.sections), 'table')}, {counted(len(models), 'model')}"
    return f"{path}: {said}, {len(html.encode()) / 1000:,.0f} kB"


def build_page(store: Store, names: Sequence[str], include: Sequence[Path] = ()) -> Page:
    """All the page shows. Raises HarnessError: no run, or none with a score."""
    from harness.page import cards, charts, history, lineage, tables
    from harness.report import calibration, compression, efficiency, formats, leaderboard

    manifests, records = scored_runs(store, names)
    built = leaderboard.build_with_records(records, suites_of(manifests))
    built.sort(key=lambda one: one[0].train_fraction != 1)  # whole training sets first
    keys = [f"t{index}" for index in range(len(built))]
    made = _made(store, records)
    resources = _resources(records, made, _measurements(store))
    sections = [tables.section(key, table, draft, resources) for key, (table, draft) in zip(keys, built, strict=True)]
    scales = [{column.task: column.scale for column in table.columns} for table, _ in built]
    found = [charts.tradeoffs(section, scale) for section, scale in zip(sections, scales, strict=True)]
    whole = [table for table, _ in built]
    order = list(dict.fromkeys([*(column.task for table in whole for column in table.columns), *_tasks(records)]))
    compressions = {key: record for key, record in made.items() if record["kind"] == "compress"}

    def stored(record: Record) -> tuple[Any, Any]:
        return read_predictions(store.file(record["cell"], PREDICTIONS))[:2]

    def logits(record: Record) -> Any:
        return read_logits(store.file(record["cell"], PREDICTIONS))

    runs, environments = history.asked_and_environments(manifests)
    views, notes = _examples(store, manifests, built, sections, include)
    return Page(
        title="Leaderboard",
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        version=__version__,
        sections=tuple(sections),
        tradeoffs=tuple(chart for chart in found if chart is not None),
        curves=charts.learning_curves(_curves(store, made)),
        efficiency=charts.efficiency_charts(efficiency.build(whole, [formats.title(table) for table in whole])),
        compression=cards.compression_cards(
            compression.build(records, compressions, order, stored, logits, measured_in(store))
        ),
        calibration=cards.calibration_grids(calibration.build(records, order, logits)),
        lineage=tuple(
            Titled(section.title, lineage.lineages(table, draft, made), section.key)
            for section, (table, draft) in zip(sections, built, strict=True)
        ),
        examples=tuple(views),
        examples_notes=notes,
        runs=runs,
        environments=environments,
    )


def _tasks(records: Sequence[Record]) -> Iterable[str]:
    return (record["task"]["name"] for record in records)


def _made(store: Store, records: Sequence[Record]) -> dict[str, Record]:
    """The records of the cells that made the models, by key; what is damaged or gone is left out."""
    keys = {record["lineage"].get(kind) for record in records for kind in ("pretrain", "finetune", "compress")}
    found: dict[str, Record] = {}
    for key in sorted(keys - {None}):
        try:
            if store.has(key):
                found[key] = store.read(key)
        except DamagedFile:
            continue
    return found


def _measurements(store: Store) -> list[Record]:
    """The records of all measurements in the store: they name models by their bytes, not by runs."""
    found: list[Record] = []
    for file in sorted((store.root / "cells").glob(f"*/*/{MEASUREMENT}")):
        try:
            record = store.read(file.parent.name)
        except DamagedFile:
            continue
        if record["kind"] == "measure":
            found.append(record)
    return found


def _resources(
    records: Sequence[Record], made: Mapping[str, Record], measurements: Sequence[Record]
) -> dict[str, Resources]:
    """By model id."""
    from harness.page.resources import Measured, fingerprint_of, measured, merged, size_of
    from harness.page.tables import Resources

    by_print = measured(measurements)
    makers: dict[str, dict[str, Record]] = {}
    for record in records:
        key = _maker(record)
        if key in made:
            makers.setdefault(record["model"]["id"], {})[key] = made[key]
    return {
        model: Resources(
            size_of(own.values()),
            merged(by_print.get(fingerprint_of(record), Measured()) for record in own.values()),
        )
        for model, own in makers.items()
    }


def _maker(record: Record) -> str:
    """The cell that holds the model a score is of; empty where it lies outside the store."""
    lineage = record["lineage"]
    return lineage.get("compress") or lineage.get("finetune") or lineage.get("pretrain") or ""


def _curves(store: Store, made: Mapping[str, Record]) -> Iterable[tuple[str, Record, list[tuple[float, float]]]]:
    """Losses of the trainings that kept them."""
    import pyarrow.parquet as pq

    for key, record in made.items():
        if LOSSES in record.get("files", {}):
            try:
                table = pq.read_table(store.file(key, LOSSES), columns=["step", "loss"])
            except DamagedFile:
                continue
            points = list(zip(table.column("step").to_pylist(), table.column("loss").to_pylist(), strict=True))
            yield f"{record['model']['name']}, seed {record['seed']}", record, points


def _examples(
    store: Store,
    manifests: Sequence[Record],
    built: Sequence[tuple[Table, Draft]],
    sections: Sequence[Any],
    include: Sequence[Path],
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    from harness.page import examples

    read = texts_reader(manifests, include)
    views: list[dict[str, Any]] = []
    damaged: list[str] = []
    for section, (table, draft) in zip(sections, built, strict=True):
        try:
            views += examples.of_table(
                section.key, section.title, table, draft, lambda record: _predicted(store, record), read
            )
        except DamagedFile as error:
            damaged.append(f"{section.title}: {error}")
    return views, tuple(damaged)


def _predicted(store: Store, record: Record) -> Predicted:
    import pyarrow.parquet as pq

    from harness.page.examples import Predicted

    path = store.file(record["cell"], PREDICTIONS)
    values, references, _ = read_predictions(path)
    return Predicted(pq.read_table(path, columns=["id"]).column("id").to_pylist(), values, references)


def texts_reader(manifests: Sequence[Record], include: Sequence[Path] = ()) -> Any:
    """A function that reads the texts of a score record's split again, where its data can be had and is the same."""
    from harness.data import load
    from harness.page.examples import Texts
    from harness.registry import load_registry

    registry = load_registry(list(include))
    sources = {cell["cell"]: manifest["spec"]["data"] for manifest in manifests for cell in manifest["cells"]}

    @cache
    def fields(task: str, split: str, source: str, limit: int | None, fingerprint: str) -> Texts:
        try:
            found = load(registry.task(task), source, limit, [split]).splits[split]
        except (HarnessError, KeyError, OSError) as error:
            return Texts({}, f"texts not at hand: {error}")
        if found.fingerprint != fingerprint:
            return Texts({}, f"texts not at hand: {source} is not what was scored any more")
        return Texts(found.fields)

    def read(record: Record) -> Texts:
        data, split = record["data"], record["split"]
        fingerprint = data["splits"][split]["fingerprint"]
        source = sources.get(record["cell"], "embedded")
        return fields(record["task"]["name"], split, source, data["limit"], fingerprint)

    return read

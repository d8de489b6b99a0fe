"""What the Python API returns: scores, runs, measurements and verdicts as frozen data classes, with their ways into
pandas, JSON, Markdown and notebooks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.cell_records import ContaminationRecord, ScoreRecord
from harness.core.contamination import KIND, with_contamination
from harness.core.run_records import RunManifest
from harness.core.runs import asked_for, with_names
from harness.core.store import Store
from harness.report.tables import formats, leaderboard
from harness.report.tables.html import to_html
from harness.report.tables.json_tables import to_json
from harness.report.tables.table import Table
from harness.report.text.runs import say_damaged, suites_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Score:
    """One metric of one model on one split of one task, by one seed.

    Attributes:
        model: What the run calls the model.
        task: The task's name; `sst2@0-shot` and `sst2+typos` are tasks of their own.
        split: The split that was scored.
        metric: The metric's name.
        seed: The seed of the training, or of what was drawn.
        value: The score, on the metric's own scale: an accuracy lies between 0 and 1.
        low: Lower end of the interval over examples.
        high: Upper end of it.
        level: The level of the interval, 0.95.
        method: How the interval was found.
        n: Number of scored examples.
        chance: What the best constant answer scores; None where that is not known.
        ceiling: What the noise-free labels score; None where there are none.
        greater_is_better: Whether a larger value is a better one.
        version: The version of the metric.
        source: Where the data comes from: `synthetic`, `hub`, `folder` or a plug-in's.
        limit: The first so many rows of each split were read; None for all.
        fingerprint: The hash of the data the score rests on, trained on and scored.
        train_fraction: The fraction of the training examples the model was trained on.
        k_shot: How many examples of each class these were; None where that was not asked for.
        runtime: What served the model; None where it is no transformer.
        lineage: The cells the model came from, by kind.
        overrides: Training values that the run gave in place of the model spec's.
        model_id: Tells models of one name apart.
        cell: The key of the score's record.
        model_folder: The folder of the scored model in the store; None of one that lies elsewhere.
    """

    model: str
    task: str
    split: str
    metric: str
    seed: int
    value: float
    low: float
    high: float
    level: float
    method: str
    n: int
    chance: float | None
    ceiling: float | None
    greater_is_better: bool
    version: int
    source: str
    limit: int | None
    fingerprint: str
    train_fraction: float
    k_shot: int | None
    runtime: str | None
    lineage: Mapping[str, str | None]
    overrides: Mapping[str, Any]
    model_id: str
    cell: str
    model_folder: Path | None


@dataclass(frozen=True)
class Failure:
    """A cell without a result.

    Attributes:
        kind: What it was to do: `pretrain`, `finetune`, `compress`, `score` or `measure`.
        task: The task's name; empty for pretraining.
        model: What the run calls the model.
        seed: The seed.
        split: The split that was to be scored.
        status: `failed`, `skipped` because of what failed before, or `missing` where the run was cut off.
        cause: Why, in a line.
        cell: The key of the cell.
    """

    kind: str
    task: str
    model: str
    seed: int
    split: str | None
    status: str
    cause: str
    cell: str


class Tabular:
    """What has scores has these ways out of Python."""

    scores: tuple[Score, ...]

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with one row a model × task × split × metric × seed; columns are the attributes of `Score`."""
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(Score.__dataclass_fields__))

    def to_json(self) -> str:
        """All scores as JSON, by the attributes of `Score`."""
        return json.dumps(self._rows(), indent=1, ensure_ascii=False)

    def _rows(self) -> list[dict[str, Any]]:
        return [{**asdict(score), "model_folder": _text(score.model_folder)} for score in self.scores]


@dataclass(frozen=True)
class Leaderboard:
    """Tables of models by tasks. Scores on different data are never in one table.

    Attributes:
        tables: One for each suite, source, limit and fraction of the training examples.
    """

    tables: tuple[Table, ...]

    def to_markdown(self) -> str:
        """The tables as Markdown, as `harness leaderboard` prints them."""
        return "\n\n".join(formats.to_markdown(table, formats.PLAIN).rstrip("\n") for table in self.tables)

    def to_json(self) -> str:
        """The tables as JSON, as `harness leaderboard --format json` prints them."""
        return to_json(list(self.tables), formats.PLAIN)

    def _repr_html_(self) -> str:
        return "\n".join(to_html(table, formats.PLAIN) for table in self.tables)

    def __str__(self) -> str:
        return self.to_markdown()


@dataclass(frozen=True)
class Results(Tabular):
    """The scores of runs of one results folder.

    Attributes:
        runs: The names of the runs, oldest first.
        scores: All their scores, each once under each name of its model.
        failures: Cells without a result, of all runs.
        root: The results folder.
    """

    runs: tuple[str, ...]
    scores: tuple[Score, ...]
    failures: tuple[Failure, ...]
    root: Path
    _records: tuple[ScoreRecord, ...] = field(default=(), repr=False)
    _manifests: tuple[RunManifest, ...] = field(default=(), repr=False)

    def leaderboard(self) -> Leaderboard:
        """The tables of these scores."""
        return Leaderboard(tuple(leaderboard.build(self._records, suites_of(self._manifests))))

    def to_markdown(self) -> str:
        """The leaderboard as Markdown."""
        return self.leaderboard().to_markdown()

    def _repr_html_(self) -> str:
        return self.leaderboard()._repr_html_()


@dataclass(frozen=True)
class RunResult(Results):
    """One run: its scores, and what became of its cells.

    Attributes:
        name: The run's name in the results folder.
        status: `done`, `failed` or `interrupted`.
        absent: Tasks that the data source does not hold, with the reason.
        not_applicable: (task, model) pairs that a model cannot do, with the reason.
        seconds: How long the run took.
    """

    name: str = ""
    status: str = "done"
    absent: Mapping[str, str] = field(default_factory=dict)
    not_applicable: Mapping[tuple[str, str], str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every cell of the run has a result."""
        return not self.failures

    def model(self, name: str, task: str) -> Path:
        """The folder of a model the run trained or compressed: of its lowest seed on all examples.

        Raises:
            KeyError: the run made no such model.
        """
        scores = [
            score
            for score in self.scores
            if (score.model, score.task) == (name, task) and score.model_folder is not None
        ]
        if not scores:
            raise KeyError(f"run {self.name} made no model {name} for {task}")
        folder = min(scores, key=lambda score: (-score.train_fraction, score.seed)).model_folder
        assert folder is not None
        return folder


def read_results(store: Store, names: Sequence[str] = ()) -> Results:
    """The results of runs, of all where none is named.

    Raises:
        HarnessError: there is no such run.
        StoredFileError: the manifest of a run that is named, or of every run, is not what was written. Other damaged
            manifests and records are named on stderr and left out.
    """
    manifests = tuple(store.runs(names, say_damaged))
    records, scores, failures = _read(store, manifests)
    runs = tuple(str(manifest.run) for manifest in manifests)
    return Results(runs, scores, failures, store.root, records, manifests)


def read_run(store: Store, name: str) -> RunResult:
    """The result of one run. Raises as `read_results` does."""
    manifest = store.run(name)
    records, scores, failures = _read(store, (manifest,))
    return RunResult(
        runs=(manifest.run,),
        scores=scores,
        failures=failures,
        root=store.root,
        _records=records,
        _manifests=(manifest,),
        name=manifest.run,
        status=manifest.status,
        absent=dict(manifest.absent),
        not_applicable={(cell.task, cell.model): cell.reason for cell in manifest.not_applicable},
        seconds=manifest.timings.seconds,
    )


def _read(
    store: Store, manifests: Sequence[RunManifest]
) -> tuple[tuple[ScoreRecord, ...], tuple[Score, ...], tuple[Failure, ...]]:
    asked = asked_for(manifests, "score")
    leaked = store.find_all(asked_for(manifests, KIND), say_damaged, ContaminationRecord)
    records = tuple(with_contamination(with_names(store.find_all(asked, say_damaged, ScoreRecord), asked), leaked))
    scores = tuple(score for record in records for score in _scores(store, record))
    failures = tuple(
        Failure(
            kind=cell.kind,
            task=cell.task,
            model=cell.model,
            seed=cell.seed,
            split=cell.split,
            status=cell.status,
            cause=cell.cause,
            cell=cell.cell,
        )
        for manifest in manifests
        for cell in manifest.cells
        if cell.status not in ("done", "cached")
    )
    return records, scores, failures


def _scores(store: Store, record: ScoreRecord) -> list[Score]:
    model, data = record.model, record.data
    made_by = record.lineage.maker
    return [
        Score(
            model=model.name,
            task=record.task.name,
            split=record.split,
            metric=metric,
            seed=record.seed or 0,
            value=score.value,
            low=score.low,
            high=score.high,
            level=score.level,
            method=score.method,
            n=score.n,
            chance=score.chance,
            ceiling=score.ceiling.value if score.ceiling else None,
            greater_is_better=score.greater_is_better,
            version=score.version,
            source=data.source,
            limit=data.limit,
            fingerprint=data.fingerprint,
            train_fraction=data.train_fraction,
            k_shot=data.k_shot,
            runtime=record.runtime,
            lineage=record.lineage.as_json(),
            overrides=dict(model.overrides),
            model_id=model.id,
            cell=record.cell,
            model_folder=store.folder(made_by) / "model" if made_by else None,
        )
        for metric, score in record.scores.items()
    ]


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)

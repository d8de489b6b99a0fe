"""The score cell: predict a split with a fitted or a pretrained model, and score the predictions with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.specs import TaskSpec
from harness.core.store import Store
from harness.data.frame import Labels, Split, TaskData
from harness.modeling.heads.base import Predictions
from harness.pipeline.steps.inputs import task_data
from harness.training.learners import LEARNERS, PredictRequest

if TYPE_CHECKING:
    import numpy as np

PREDICTIONS = "predictions.parquet"


def run(
    spec: Mapping[str, Any], job: Mapping[str, Any], store: Store, folder: Path, report: Callable[[float], None]
) -> dict[str, Any]:
    """Predict, write `folder/predictions.parquet`, and return the record's body."""
    task = TaskSpec.model_validate(job["task"])
    loaded = task_data(task, job, [*spec["data"]])
    split = loaded.splits[spec["split"]]
    model = _trained(spec, store) if task.shots is None else _untrained(task, spec, job, store, loaded)
    predicted = LEARNERS.get(job["learner"]).predict(
        PredictRequest(task, loaded.labels, split, model.directory, model.seed, model.shown, report)
    )
    _refuse_not_finite(predicted)
    references = None if split.labels is None else as_references(split.labels)
    oracle = None if split.oracle is None else as_references(split.oracle)
    write_predictions(folder / PREDICTIONS, split.ids, predicted, references, oracle)
    facts = job["facts"]
    used = {"train": model.trained_on, "scored": {spec["split"]: facts["splits"][spec["split"]]}}
    return {
        "task": {
            "name": task.name,
            "version": task.version,
            "family": task.family,
            "headline": task.headline or list(task.metrics),
            "noise": task.noise,
        },
        "split": spec["split"],
        "model": model.record,
        "seed": model.seed,
        "n": len(split),
        "data": {
            "source": facts["source"],
            "location": facts["location"],
            "fingerprint": hash_json(_fingerprints(used)),
            "limit": job["limit"],
            "train_fraction": model.train_fraction,
            "splits": facts["splits"],
            "trained_on": {name: one["fingerprint"] for name, one in model.trained_on.items()},
            "notes": list(loaded.notes),
        },
        "scores": score_all(task.metrics, predicted.values, references, oracle),
        "predictions": {"file": PREDICTIONS, "sha256": prediction_hash(predicted.values)},
        "decoding": dict(predicted.settings),
        "runtime": model.runtime,
        "selection": model.selection,
        "lineage": model.lineage,
    }


@dataclass(frozen=True)
class Model:
    """The model that is scored: where it lies, its record, the seed it was made with, what it learned from."""

    directory: Path
    record: Mapping[str, Any]
    seed: int
    trained_on: Mapping[str, Mapping[str, Any]]
    lineage: Mapping[str, Any]
    train_fraction: float = 1.0
    selection: Mapping[str, Any] = field(default_factory=lambda: {"mode": "last"})
    shown: Split | None = None
    runtime: str | None = None


def _trained(spec: Mapping[str, Any], store: Store) -> Model:
    fitted = store.read(spec["model"])
    return Model(
        store.model(spec["model"]),
        fitted["model"],
        fitted["seed"],
        fitted["data"]["splits"],
        {fitted["kind"]: spec["model"], **fitted["lineage"]},
        fitted["data"]["train_fraction"],
        fitted["fit"].get("selection", {"mode": "last"}),
        runtime=fitted["model"].get("runtime", fitted["fit"].get("runtime")),
    )


def _untrained(
    task: TaskSpec, spec: Mapping[str, Any], job: Mapping[str, Any], store: Store, loaded: TaskData
) -> Model:
    """A pretrained model that is shown examples, drawn by the cell's seed from the training split."""
    directory = store.model(job["checkpoint"]) if job["checkpoint"] else Path(job["pretrained"])
    shown = None
    shown_of: Mapping[str, Mapping[str, Any]] = {}
    if task.shots:
        shown = loaded.splits[task.train].draw(task.shots, spec["seed"])
        if len(shown) < task.shots:
            raise HarnessError(f"task {task.name}: its split {task.train} has only {len(shown)} examples to show")
        shown_of = {task.train: job["facts"]["splits"][task.train]}
    lineage = {"finetune": None, "pretrain": job["checkpoint"], "weights": job["model"]["weights"]}
    return Model(directory, {**job["model"], "parameters": None}, spec["seed"], shown_of, lineage, shown=shown)


def _refuse_not_finite(predicted: Predictions) -> None:
    import numpy as np

    outputs = predicted.columns.get("logits", predicted.values)
    if getattr(outputs, "dtype", np.dtype(object)).kind == "f" and not np.isfinite(outputs).all():
        bad = int((~np.isfinite(outputs)).sum())
        raise HarnessError(f"the model gives {bad} outputs that are not finite numbers")


def as_references(labels: Labels) -> np.ndarray:
    """Labels as metrics take them, (n,): class ids, floats, or tuples of reference texts."""
    import numpy as np

    if not labels or not isinstance(labels[0], tuple):
        return np.asarray(labels)
    references = np.empty(len(labels), dtype=object)
    for index, texts in enumerate(labels):
        references[index] = texts
    return references


def score_all(
    names: Sequence[str], predictions: np.ndarray, references: np.ndarray | None, oracle: np.ndarray | None
) -> dict[str, dict[str, Any]]:
    """Each metric's value, bootstrap interval, n, chance and ceiling; without references those that need none.

    The ceiling is what the noise-free labels score against the observed ones: no model can be expected above it.
    """
    from harness.stats import bootstrap

    scores: dict[str, dict[str, Any]] = {}
    for name in names:
        metric = metrics.get(name)
        if references is None and metric.references != "unused":
            continue
        predicted, true = metric.check(predictions, references)
        interval = bootstrap.interval(metric, predicted, true)
        ceiling = None
        if oracle is not None:
            bounds = bootstrap.interval(metric, oracle, true)
            ceiling = {"value": metric.score(oracle, true), "low": bounds.low, "high": bounds.high}
        scores[name] = {
            "value": metric.score(predicted, true),
            "low": interval.low,
            "high": interval.high,
            "level": interval.level,
            "method": interval.method,
            "n": len(predicted),
            "chance": metric.chance(true),
            "ceiling": ceiling,
            "bounds": [metric.low, metric.high],
            "greater_is_better": metric.greater_is_better,
            "version": metric.version,
            **({"signature": metric.signed(true)} if metric.signature else {}),
        }
    return scores


def write_predictions(
    path: Path,
    ids: tuple[str, ...],
    predicted: Predictions,
    references: np.ndarray | None,
    oracle: np.ndarray | None,
) -> None:
    """Columns: id, prediction, label and oracle (null where unknown), and the predictions' own, such as logits (a list
    of float32).
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = {"i": pa.int64(), "u": pa.int64(), "f": pa.float64()}.get(predicted.values.dtype.kind, pa.string())
    in_words = references is not None and references.dtype.kind == "O"
    known = pa.list_(pa.string()) if in_words else kind
    labels = references if references is None or not in_words else [list(texts) for texts in references]
    columns = {
        "id": pa.array(ids, pa.string()),
        "prediction": pa.array(predicted.values.tolist(), kind),
        "label": pa.nulls(len(ids), known) if labels is None else pa.array(list(labels), known),
        "oracle": pa.nulls(len(ids), known) if oracle is None else pa.array(oracle, known),
    }
    for name, values in predicted.columns.items():
        floats = isinstance(values, np.ndarray) and values.ndim == 2
        columns[name] = pa.array(list(values), pa.list_(pa.float32())) if floats else pa.array(list(values))
    pq.write_table(pa.table(columns), path)


def read_predictions(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Predictions, and references and oracle where there are any: (n,) each."""
    import numpy as np
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table = file.read(["prediction", "label", "oracle"])

    def column(name: str) -> np.ndarray | None:
        values = table.column(name)
        if values.null_count:
            return None
        listed = values.to_pylist()
        if listed and isinstance(listed[0], list):
            return as_references(tuple(tuple(texts) for texts in listed))
        return np.asarray(listed, dtype=object) if listed and isinstance(listed[0], str) else values.to_numpy()

    predictions = column("prediction")
    if predictions is None:
        raise HarnessError(f"{path}: some predictions are missing")
    return predictions, column("label"), column("oracle")


def read_logits(path: Path) -> tuple[tuple[str, ...], np.ndarray, np.ndarray] | None:
    """Ids, labels (n,) and logits (n, k) of predictions that are classes; None where labels or logits are missing."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        table = file.read()
    labels = table.column("label")
    if "logits" not in table.column_names or not pa.types.is_integer(labels.type) or labels.null_count:
        return None
    return tuple(table.column("id").to_pylist()), labels.to_numpy(), np.asarray(table.column("logits").to_pylist())


def prediction_hash(predictions: np.ndarray) -> str:
    """Of the predictions alone: equal hashes mean equal behaviour on the split."""
    return hash_json(predictions.tolist())


def _fingerprints(used: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    return {role: {name: split["fingerprint"] for name, split in splits.items()} for role, splits in used.items()}

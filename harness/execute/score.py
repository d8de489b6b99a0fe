"""The score cell: predict a split with a fitted model, and score the predictions with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.errors import HarnessError
from harness.execute.inputs import task_data
from harness.families import FAMILIES
from harness.hashing import hash_json
from harness.models import LEARNERS
from harness.specs import TaskSpec
from harness.store import Store

if TYPE_CHECKING:
    import numpy as np

PREDICTIONS = "predictions.parquet"


def run(
    spec: Mapping[str, Any], job: Mapping[str, Any], store: Store, folder: Path, report: Callable[[float], None]
) -> dict[str, Any]:
    """Predict, write `folder/predictions.parquet`, and return the record's body."""
    import numpy as np

    task = TaskSpec.model_validate(job["task"])
    family = FAMILIES.get(task.family)
    loaded = task_data(task, job, [spec["split"]])
    split = loaded.splits[spec["split"]]
    fitted = store.read(spec["model"])
    logits = LEARNERS.get(job["learner"]).predict(store.model(spec["model"]), family, loaded.labels, split)
    if not np.isfinite(logits).all():
        raise HarnessError(f"the model gives {int((~np.isfinite(logits)).sum())} outputs that are not finite numbers")
    predictions = family.decode(logits)
    references = None if split.labels is None else np.asarray(split.labels)
    oracle = None if split.oracle is None else np.asarray(split.oracle)
    write_predictions(folder / PREDICTIONS, split.ids, predictions, logits, references, oracle)
    facts = job["facts"]
    used = {"train": fitted["data"]["splits"], "scored": {spec["split"]: facts["splits"][spec["split"]]}}
    return {
        "task": {"name": task.name, "version": task.version, "family": task.family},
        "split": spec["split"],
        "model": fitted["model"],
        "seed": fitted["seed"],
        "n": len(split),
        "data": {
            "source": facts["source"],
            "location": facts["location"],
            "fingerprint": hash_json(_fingerprints(used)),
            "limit": job["limit"],
            "train_fraction": fitted["data"]["train_fraction"],
            "splits": facts["splits"],
            "trained_on": {name: split["fingerprint"] for name, split in fitted["data"]["splits"].items()},
            "notes": list(loaded.notes),
        },
        "scores": score_all(task.metrics, predictions, references, oracle),
        "predictions": {"file": PREDICTIONS, "sha256": prediction_hash(predictions)},
        "selection": fitted["fit"].get("selection", {"mode": "last"}),
        "lineage": {"finetune": spec["model"], **fitted["lineage"]},
    }


def score_all(
    names: list[str], predictions: np.ndarray, references: np.ndarray | None, oracle: np.ndarray | None
) -> dict[str, dict[str, Any]]:
    """Each metric's value, bootstrap interval, n, chance and ceiling; nothing where there are no references.

    The ceiling is what the noise-free labels score against the observed ones: no model can be expected above it.
    """
    from harness.stats import bootstrap

    scores: dict[str, dict[str, Any]] = {}
    for name in names if references is not None else []:
        assert references is not None
        metric = metrics.get(name)
        interval = bootstrap.interval(metric, predictions, references)
        ceiling = None
        if oracle is not None:
            bounds = bootstrap.interval(metric, oracle, references)
            ceiling = {"value": metric.score(oracle, references), "low": bounds.low, "high": bounds.high}
        scores[name] = {
            "value": metric.score(predictions, references),
            "low": interval.low,
            "high": interval.high,
            "level": interval.level,
            "method": interval.method,
            "n": len(references),
            "chance": metric.chance(references),
            "ceiling": ceiling,
            "bounds": [metric.low, metric.high],
            "version": metric.version,
            **({"signature": metric.signed(references)} if metric.signature else {}),
        }
    return scores


def write_predictions(
    path: Path,
    ids: tuple[str, ...],
    predictions: np.ndarray,
    logits: np.ndarray,
    references: np.ndarray | None,
    oracle: np.ndarray | None,
) -> None:
    """Columns: id, prediction, label and oracle (null where unknown), logits (a list of float32)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.int64() if predictions.dtype.kind in "iu" else pa.float64()
    none = pa.nulls(len(ids), kind)
    table = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "prediction": pa.array(predictions, kind),
            "label": none if references is None else pa.array(references, kind),
            "oracle": none if oracle is None else pa.array(oracle, kind),
            "logits": pa.array(list(logits), pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, path)


def read_predictions(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Predictions, and references and oracle where there are any: (n,) each."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["prediction", "label", "oracle"])

    def column(name: str) -> np.ndarray | None:
        values = table.column(name)
        return None if values.null_count else values.to_numpy()

    predictions = column("prediction")
    if predictions is None:
        raise HarnessError(f"{path}: some predictions are missing")
    return predictions, column("label"), column("oracle")


def prediction_hash(predictions: np.ndarray) -> str:
    """Of the predictions alone: equal hashes mean equal behaviour on the split."""
    return hash_json(predictions.tolist())


def _fingerprints(used: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    return {role: {name: split["fingerprint"] for name, split in splits.items()} for role, splits in used.items()}

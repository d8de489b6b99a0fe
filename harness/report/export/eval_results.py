"""Scores as the hub reads them from a model's repository: a YAML file a task in its folder `.eval_results`."""

from __future__ import annotations

from pathlib import Path

import yaml

from harness.core.errors import HarnessError
from harness.core.source_names import SYNTHETIC
from harness.core.store import write_atomically
from harness.report.export.model_card import hub_dataset
from harness.report.export.source import Model

FOLDER = ".eval_results"


def write_eval_results(
    model: Model, folder: Path, dataset: str | None, task_id: str | None, metric: str | None
) -> list[Path]:
    """Write the files below a folder, which is that of the model's repository; returns them.

    Args:
        model: The model and what it scores.
        folder: The repository.
        dataset: The benchmark on the hub; None: the data set that each task was read from.
        task_id: The task's id there; None: the name of the data set's configuration, or `default`.
        metric: Which metric is the value; None: the first that counts.

    Raises:
        HarnessError: a task whose data is not of the hub without `dataset`; one benchmark for several tasks; a metric
            that was not computed; a file that cannot be written.
    """
    if (dataset or task_id) and len(model.metric_scores) > 1:
        raise HarnessError(
            f"--dataset and --task-id are of one task, and {model.name} was scored on "
            f"{', '.join(model.metric_scores)}; name one: {model.name}:{next(iter(model.metric_scores))}"
        )
    contents = {task: _content(model, task, dataset, task_id, metric) for task in model.metric_scores}
    if not any(contents.values()):
        raise HarnessError(f"{model.name} has no scores in run {model.run.run}: its tasks have no labels")
    below = folder / FOLDER
    try:
        below.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(f"cannot write to {below}: {error.strerror}") from None
    written = []
    for task, content in contents.items():
        if content:
            path = below / f"{task.replace('@', '_')}.yaml"
            write_atomically(path, content)
            written.append(path)
    return written


def _content(model: Model, task: str, dataset: str | None, task_id: str | None, metric: str | None) -> str:
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    record = model.first(task)
    if record.data.source == SYNTHETIC:
        raise HarnessError(
            f"{task} was scored on synthetic data, which is no benchmark of the hub; run it with --data hub"
        )
    if record.data.source != "hub" and dataset is None:
        raise HarnessError(
            f"{task} was read from {record.data.source}; say which benchmark of the hub it is with --dataset OWNER/NAME"
        )
    of_hub = hub_dataset(record) if record.data.source == "hub" else (dataset or "", None, None)
    scores = [score for score in model.metric_scores[task] if metric in (None, score.metric)]
    if metric is not None and not scores:
        known = ", ".join(dict.fromkeys(score.metric for score in model.metric_scores[task]))
        raise HarnessError(f"{model.name} was not scored on {task} by '{metric}', but by {known}")
    first = {score.split: score for score in reversed(scores)}
    entries = [
        EvalResultEntry(
            dataset_id=dataset or of_hub[0],
            task_id=task_id or of_hub[1] or "default",
            value=score.estimate.value,
            dataset_revision=None if dataset else of_hub[2],
            date=model.run.created,
            notes=f"{score.metric} on {split}, {score.n} examples, {max(1, len(score.estimate.per_seed))} seed(s), "
            f"95 % interval {score.estimate.low:.4f} to {score.estimate.high:.4f}",
        )
        for split, score in reversed(first.items())
    ]
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True) if entries else ""

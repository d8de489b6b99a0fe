"""The cells that tell clean examples from those that a model has learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.core import code_identity
from harness.core.cached_facts import KnownData
from harness.core.hashing import hash_json
from harness.pipeline.cells import Cell, ContaminationJob, ScoreJob
from harness.pipeline.planner.fitting import ModelPlan
from harness.training.learners import LEARNERS

Group = tuple[str, str, str, float]


def contamination_cells(
    cells: Sequence[Cell], models: Sequence[ModelPlan], facts: Mapping[str, KnownData]
) -> Iterator[Cell]:
    """For each model that is pretrained here a cell a scored split, against its corpus; for each that is fine-tuned
    here one against its training split, where the two share rows.

    Args:
        cells: Those of the plan so far.
        models: Its models.
        facts: What the plan knows of the data, by task.
    """
    groups: dict[Group, list[Cell]] = {}
    for cell in cells:
        if isinstance(cell.job, ScoreJob) and not cell.job.folds and cell.split is not None:
            groups.setdefault((cell.model, cell.task, cell.split, cell.fraction), []).append(cell)
    for (name, task, split, fraction), scores in groups.items():
        model = _made_of(name, models)
        if model is None:
            continue
        job = scores[0].job
        assert isinstance(job, ScoreJob)
        pretraining = model.model_spec.pretraining
        if model.corpus is not None and pretraining is not None and pretraining.steps != 0:
            yield _cell(scores, split, fraction, {"corpus": model.corpus["fingerprint"]}, model)
        trained_on = job.inputs.task.train
        remembers = LEARNERS.get(job.learner).remembers
        if job.source is not None and remembers and task in facts and facts[task].in_train.get(split):
            yield _cell(scores, split, fraction, {"train": job.inputs.facts.splits[trained_on].fingerprint}, None)


def _cell(
    scores: Sequence[Cell], split: str, fraction: float, learned: Mapping[str, str], model: ModelPlan | None
) -> Cell:
    first = scores[0]
    assert isinstance(first.job, ScoreJob)
    keys = tuple(cell.key for cell in scores)
    spec = {
        "kind": "contamination",
        "scores": list(keys),
        "learned": dict(learned),
        "code": code_identity.identity("harness.pipeline.steps.contamination"),
    }
    job = ContaminationJob(
        first.job.inputs, split, keys, first.job.model,
        None if model is None else model.corpus, None if model is None else model.model_spec.pretraining,
    )  # fmt: skip
    return Cell(hash_json(spec), spec, job, keys, first.task, first.model, first.seed, split, fraction=fraction)


def _made_of(name: str, models: Sequence[ModelPlan]) -> ModelPlan | None:
    """The model of that name, or the one that it is a compressed one of."""
    exact = next((model for model in models if model.name == name), None)
    return exact or next((model for model in models if name.startswith(f"{model.name}+")), None)

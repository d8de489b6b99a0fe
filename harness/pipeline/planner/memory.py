"""What cells need of memory, for engines that place them: an estimate from the model's shape and its batches.

Of a training in float32: weights, gradients, the optimizer's moments, and what the layers keep of a batch for the way
back; of predictions the weights and one batch. It is meant to place a cell on a machine that can carry it, so it is
above what a cell takes rather than below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.specs import ModelSpec
from harness.modeling.weights.settings import model_config
from harness.pipeline.cells import Cell, CompressJob, FinetuneJob, MetaJob, PretrainJob, ScoreJob
from harness.pipeline.planner.costing import shape_in
from harness.training import costs
from harness.training.costs import Shape

PROCESS = 3 * 2**28
"""Bytes of a worker that has imported torch and transformers, with the data of a small task."""
FLOAT = 4
MOMENTS = {"adamw": 2, "adafactor": 0.1}
"""What an optimizer keeps, as multiples of the weights."""
KEPT_WIDTHS, KEPT_INNER = 16, 4
"""Vectors of the layer's width, and of its inner one, that are kept of a token in each layer for the way back."""
PREDICTED_ROWS, PREDICTED_WIDTHS, PREDICTED_INNER = 64, 6, 2
"""Texts that are predicted at once, and what is alive of their tokens meanwhile."""
LEARNED_TEXTS = 40
"""Bytes for each token of a split, as text and as what was made of it."""


def memory_needs(cells: Sequence[Cell]) -> dict[str, int]:
    """Bytes that each cell is estimated to need, by its key."""
    by_key = {cell.key: cell for cell in cells}
    return {cell.key: rounded(_need(cell, by_key)) for cell in cells}


def _need(cell: Cell, by_key: Mapping[str, Cell]) -> int:
    job = cell.job
    if isinstance(job, PretrainJob) and job.model_spec.pretraining is not None:
        settings = job.model_spec.pretraining
        shape, _ = shape_in(job.model_spec, job.pretrained)
        tokens = settings.batch_size * settings.block_size / settings.accumulate
        return PROCESS + (_trained(shape, tokens, settings.optimizer, True) if shape else 0)
    if isinstance(job, MetaJob):
        return PROCESS + _meta_trained(job)
    if isinstance(job, FinetuneJob):
        return PROCESS + _texts(cell) + _fitted(job.model_spec, job.pretrained, cell)
    if isinstance(job, CompressJob):
        student = 0 if job.student is None else _fitted(job.student.model_spec, job.student.pretrained, cell)
        return PROCESS + _texts(cell) + _fitted(job.model_spec, job.pretrained, cell) + student
    if isinstance(job, ScoreJob):
        source = by_key.get(job.source or job.checkpoint or "")
        spec = getattr(source.job, "model_spec", None) if source else None
        folder = getattr(source.job, "pretrained", None) if source else job.pretrained
        return PROCESS + _texts(cell) + _predicted(spec, folder)
    return PROCESS


def _meta_trained(job: MetaJob) -> int:
    meta, (shape, _) = job.model_spec.meta, shape_in(job.model_spec, job.pretrained)
    if meta is None or shape is None:
        return 0
    kept = meta.inner_steps if meta.method == "maml" else 1
    return _trained(shape, kept * meta.ways * (meta.k + meta.queries) * meta.max_length, "adamw", False)


def _texts(cell: Cell) -> int:
    inputs = getattr(cell.job, "inputs", None)
    if inputs is None:
        return 0
    sizes = [inputs.facts.sizes[name] for name in inputs.splits if name in inputs.facts.sizes]
    return int(sum(LEARNED_TEXTS * size.examples * (sum(size.inputs) / max(1, len(size.inputs))) for size in sizes))


def _fitted(spec: ModelSpec, folder: Path | None, cell: Cell) -> int:
    shape, config = shape_in(spec, folder)
    if shape is None:
        return 0
    inputs = getattr(cell.job, "inputs", None)
    limit = costs.limit_of(spec, config)
    sizes = [] if inputs is None else [inputs.facts.sizes[name] for name in inputs.splits if name in inputs.facts.sizes]
    longest = max((max(size.inputs, default=limit) for size in sizes), default=limit)
    tokens = spec.training.batch_size * min(limit, longest + costs.SPECIAL_TOKENS)
    writes = shape.decoder_layers > 0 or "gpt" in shape.kind
    return _trained(shape, tokens, spec.training.optimizer, writes)


def _trained(shape: Shape, tokens: float, optimizer: str, writes: bool) -> int:
    weights = FLOAT * shape.parameters * (2 + MOMENTS.get(optimizer, 2))
    kept = FLOAT * tokens * shape.depth * (KEPT_WIDTHS * shape.width + KEPT_INNER * shape.inner)
    logits = 3 * FLOAT * tokens * shape.vocabulary if writes else 0
    return int(weights + kept + logits)


def _predicted(spec: ModelSpec | None, folder: Path | None) -> int:
    shape: Shape | None = None
    config: Mapping[str, Any] = {}
    if spec is not None:
        shape, config = shape_in(spec, folder)
    elif folder is not None:
        config = model_config(folder)
        shape = costs.shape_of(config)
    if shape is None:
        return 0
    limit = min(costs.LENGTH_AT_MOST, int(config.get("max_position_embeddings") or costs.LENGTH_AT_MOST))
    batch = PREDICTED_ROWS * limit * (PREDICTED_WIDTHS * shape.width + PREDICTED_INNER * shape.inner)
    return int(FLOAT * (shape.parameters + batch))


def rounded(size: int) -> int:
    """The next of 1, 1.5, 2, 3, 4, 6, 8, … GiB, so that cells of nearly equal need have the same workers."""
    step = 2**30
    while step < size:
        if 3 * step // 2 >= size:
            return 3 * step // 2
        step *= 2
    return step

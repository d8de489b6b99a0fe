"""What cells are estimated to cost, from their data and their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.cached_facts import KnownData, SplitSizes
from harness.core.families import FAMILIES
from harness.core.source_names import SYNTHETIC
from harness.core.specs import ModelSpec, TaskSpec
from harness.modeling.weights.settings import model_config
from harness.pipeline.planner import item_costs
from harness.training import costs
from harness.training.costs import Shape, Sizes, Work
from harness.training.learners import LEARNERS
from harness.training.objectives import OBJECTIVES, check_objective

COMPRESSING = Work(seconds=3.0)
"""Of a method beside what it learns and exports."""
EXPORTED = 0.1
"""What compressing looks at, as a fraction of the fine-tuning."""
PREDICTED = 0.2
"""The fraction of the positions that an objective predicts which does not predict all."""
DECODED = 0.3
"""The tokens of a decoder's side, as a fraction of the text."""
CORPUS_SECONDS = {SYNTHETIC: 3.2}
"""Of a corpus read for fingerprint, tokenizer and tokens, a megabyte; of one in files `READ_SECONDS`."""
READ_SECONDS = 2.0
HELD_OUT_BLOCKS, FEW_BLOCKS = 500, 16
"""Of a corpus that are scored, and those of which each position is on its own."""


def fitting(model_spec: ModelSpec, folder: Path | None, task: TaskSpec, sizes: Sizes, head: str | None) -> Work | None:
    """The fit of a model spec to a split; None where nobody knows."""
    rates = LEARNERS.get(model_spec.learner).rates
    if rates is not None:
        return _of_texts(rates.fit, sizes)
    shape, config = shape_in(model_spec, folder)
    if FAMILIES.get(task.family).modalities:
        towers = item_costs.towers_of(config)
        return None if towers is None else item_costs.fitting(model_spec, towers, sizes.examples)
    if shape is None or head is None:
        return None
    return costs.fit_work(model_spec, shape, task, sizes, costs.limit_of(model_spec, config), head)


def predicting(
    model_spec: ModelSpec, folder: Path | None, task: TaskSpec, sizes: Sizes, head: str | None, limit: int | None = None
) -> Work | None:
    """The predictions of a model on a split, and their scores; `limit` is what a finished model was fitted with."""
    in_words = FAMILIES.get(task.family).in_words
    rates = LEARNERS.get(model_spec.learner).rates
    if rates is not None:
        return _of_texts(rates.predict, sizes) + costs.scoring(task, sizes.examples, in_words)
    shape, config = shape_in(model_spec, folder)
    if FAMILIES.get(task.family).modalities:
        towers = item_costs.towers_of(config)
        return None if towers is None else item_costs.predicting(task, towers, sizes.examples)
    if shape is None or head is None:
        return None
    return costs.predict_work(shape, task, sizes, costs.limit_of(model_spec, config, limit), head, in_words)


def compressing(fit: Work | None, uses_data: bool, with_student: bool) -> Work | None:
    """A method, from what the fine-tuning of its model costs."""
    if fit is None:
        return None
    return COMPRESSING + fit.times(1.0 if with_student else EXPORTED if uses_data else 0.0)


def pretraining(model_spec: ModelSpec, corpus: Mapping[str, Any], folder: Path | None = None) -> Work | None:
    """A checkpoint of so many steps or tokens, its corpus and its scores included."""
    settings = model_spec.pretraining
    shape, config = shape_in(model_spec, folder)
    if settings is not None and OBJECTIVES.get(settings.objective).modality != "text":
        towers = item_costs.towers_of(config, model_spec.tokenizer.vocab_size if model_spec.tokenizer else None)
        if towers is None:
            return None
        _, options = check_objective(model_spec)
        return item_costs.pretraining(settings, towers, int(corpus["documents"]), getattr(options, "frames", 1))
    if settings is None or shape is None:
        return None
    if settings.steps is None and settings.tokens is None:
        return None
    of_step = settings.batch_size * settings.block_size
    tokens = settings.tokens if settings.steps is None else settings.steps * of_step
    assert tokens is not None
    precision = "bf16" if settings.precision == "bf16" else "fp32"
    causal = OBJECTIVES.get(settings.objective).causal
    read = corpus["bytes"] / 1e6 * CORPUS_SECONDS.get(str(corpus["source"]), READ_SECONDS)
    held_out = min(HELD_OUT_BLOCKS * settings.block_size, 0.05 * corpus["bytes"] / 4)
    alone = FEW_BLOCKS * settings.block_size**2 if not causal else 0
    work = Work(seconds=read) + costs.loading(shape) + costs.steps(shape, tokens / of_step, settings.optimizer)
    trained = tokens * (1.0 if settings.adversarial is None else settings.adversarial.cost)
    for count, during in ((trained, precision), (2 * held_out + alone, None)):
        work += costs.passes(shape, count, settings.block_size, during)
        if shape.decoder_layers:
            work += costs.passes(shape, DECODED * count, settings.block_size, during, decoding=True)
        work += costs.distributions(shape, count * (1.0 if causal else PREDICTED), during)
    return work


def meta_training(model_spec: ModelSpec, folder: Path | None, splits: Sequence[SplitSizes]) -> Work | None:
    """A checkpoint made of episodes of tasks with training splits of these sizes."""
    spec = model_spec.meta
    shape, _ = shape_in(model_spec, folder)
    if spec is None or shape is None:
        return None
    lengths = [length for sizes in splits for length in sizes.inputs]
    length = min(spec.max_length, sum(lengths) / max(1, len(lengths)) + costs.SPECIAL_TOKENS)
    classes = (2 + spec.ways) / 2
    support, query = (count * classes * length for count in (spec.k, spec.queries))
    passes = {"reptile": spec.inner_steps * (support + query) / 2, "multitask": support + query}
    of_episode = passes.get(spec.method, (2 if spec.method == "maml" else 1) * spec.inner_steps * support + query)
    episodes = spec.steps * spec.episodes
    work = costs.loading(shape) + costs.steps(shape, spec.steps, "adamw")
    return work + costs.passes(shape, episodes * of_episode, length, "fp32")


def sizes_in(facts: KnownData, split: str) -> Sizes:
    """Of a split, as the plan knows it."""
    sizes = facts.sizes[split]
    return Sizes(sizes.examples, tuple(sizes.inputs), sizes.answer)


def _of_texts(seconds: float, sizes: Sizes) -> Work:
    return Work(seconds=0.05 + seconds * sizes.tokens(10**9))


def shape_in(model_spec: ModelSpec, folder: Path | None) -> tuple[Shape | None, Mapping[str, Any]]:
    """The shape of a model spec, or of the model in a folder, and its config; None where neither says."""
    config = model_spec.config if folder is None else model_config(folder)
    vocabulary = model_spec.tokenizer.vocab_size if model_spec.tokenizer and folder is None else None
    return (costs.shape_of(config, vocabulary), config) if config else (None, {})

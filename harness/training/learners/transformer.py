"""Any `transformers` model with the head a task needs: built from a config and trained from scratch, or loaded and
fine-tuned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES, Labelling
from harness.core.lazy import lazy
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec, TrainingSpec
from harness.modeling.heads import HEADS, EncodingContext, Head, architecture_of, head_for, prompting
from harness.modeling.inference.batching import DataCollator, one_after_the_other
from harness.modeling.runtimes import devices_of
from harness.modeling.runtimes.torch_eager import shapes_of
from harness.modeling.weights.config_file import check_config
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.settings import (
    ITEM_HEADS,
    Settings,
    class_names,
    compressed_settings,
    model_config,
    refuse_compressed,
    source_facts,
    write_settings,
)
from harness.training.augment.losses import Loss, with_operations
from harness.training.curves import cautions_of, write_losses
from harness.training.defaults import LENGTH_AT_MOST, epochs_for, goes_on, learning_rate_for, length_for
from harness.training.learners import adapting, kept_models, linear_probe, perturbing, starting
from harness.training.learners.base import LINEAR_PROBE, RANDOM_WEIGHTS, FitRequest, Learner, PredictRequest
from harness.training.learners.classes import class_order, in_order, tag_order

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.training.deferred import DeferredWeights

deferred = lazy("harness.training.deferred")
generated = lazy("harness.training.meta.generated")
sharding = lazy("harness.training.sharding")
item_fitting = lazy("harness.training.learners.item_fitting")
trainer = lazy("harness.training.trainer")
devices = lazy("harness.training.devices")


TOKENS_PER_WORD = 1.35
"""For cost estimates: word pieces and special tokens an English word comes to."""

LONGEST_WITHOUT_LIMIT = 1024
"""Tokens read at once by a pretrained model that has no limit of its own."""


ARTICLES = {
    "encoder": "an ", "decoder": "a ", "encoder-decoder": "an ", "dual-encoder": "a ", "image-encoder": "an ",
    "audio-encoder": "an ",
}  # fmt: skip


class TransformerLearner(Learner):
    imports = ("harness.modeling.inference.scoring", "harness.training.trainer")
    augmented = frozenset({"texts", "epochs", "training"})
    together = True

    def plugins(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> list[tuple[str, str]]:
        head = _head_name(task, model_spec, str(head_for(task, architecture)))  # type: ignore[arg-type]
        return [("head", head), ("runtime", "torch")]

    def check(self, model_spec: ModelSpec) -> None:
        self._refuse_options(model_spec, ("head", RANDOM_WEIGHTS, LINEAR_PROBE))
        if model_spec.config is None and model_spec.pretrained is None:
            raise HarnessError(
                f"model spec {model_spec.name}: learner transformer needs config (train from scratch) or pretrained"
            )
        if model_spec.config is not None and model_spec.tokenizer is None and _reads_text(model_spec.config):
            raise HarnessError(
                f"model spec {model_spec.name}: config: a model built from scratch needs a tokenizer section"
            )
        if model_spec.config is not None:
            check_config(model_spec.config, f"model spec {model_spec.name}: config")
        if not isinstance(model_spec.options.get(LINEAR_PROBE, False), bool):
            raise HarnessError(f"model spec {model_spec.name}: options: {LINEAR_PROBE} is true or false")
        if "head" in model_spec.options:
            HEADS.check(model_spec.options["head"], f"model spec {model_spec.name}")

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        assert architecture is not None
        is_random = model_spec.options.get(RANDOM_WEIGHTS) or (
            model_spec.pretrained is None and not _is_pretrained(model_spec)
        )
        if task.shots is not None and is_random:
            return "it has random weights, and is not trained on the task"
        model, family = ARTICLES[architecture] + architecture, FAMILIES.get(task.family)
        usual = head_for(task, architecture)  # type: ignore[arg-type]
        if task.shots and family.modalities:
            return f"no examples of {family.modality} files are shown to a model; ask for 0-shot"
        if usual is None:
            trained = head_for(task.model_copy(update={"shots": None}), architecture)  # type: ignore[arg-type]
            untrained = " without being trained on it" if trained is not None else ""
            return f"{model} has no head for {task.family}{untrained}"
        if task.shots is not None and family.predictions == "values":
            return "by examples alone a model ranks words, and has none for numbers"
        if task.shots and family.target is None:
            return f"{task.family} asks nothing, so it has no examples to show"
        name = _head_name(task, model_spec, usual)
        if name != usual and not (name == "sequence-classification" and isinstance(family, Labelling)):
            return f"{model} does {task.family} with the head {usual}, not {name}"
        asks_itself = task.library is not None or family.target is None
        if name in ("causal-lm", "seq2seq-lm") and not asks_itself and prompting.prompt_of(task) is None:
            return "the task has no prompt, by which a model that reads and writes text is asked"
        return None

    def cannot_train(self, task: TaskSpec, model_spec: ModelSpec, head: str | None) -> str | None:
        is_random = model_spec.options.get(RANDOM_WEIGHTS) or (
            model_spec.pretrained is None and not _is_pretrained(model_spec)
        )
        reason = adapting.refused(model_spec, bool(is_random)) or perturbing.refused(model_spec, head)
        reason = reason or linear_probe.refused(model_spec, head)
        if reason is not None:
            return reason
        if not model_spec.training.label_smoothing or head is None:
            return None
        if HEADS.get(head).has_classes and FAMILIES.get(task.family).predictions != "values":
            return None
        return f"label_smoothing: {task.family} by the head {head} has no classes to smooth; leave it out"

    def estimate(self, model_spec: ModelSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        config = model_spec.config
        if pretrained is not None:
            config = model_config(pretrained)
        width, layers = (
            _find(config, "hidden_size", "d_model", "dim", "n_embd"),
            _find(config, "num_hidden_layers", "n_layers", "n_layer", "num_layers"),
        )
        if not width or not layers:
            return None
        epochs = epochs_for(model_spec.training, examples)
        tokens = min(words * TOKENS_PER_WORD, examples * (model_spec.training.max_length or LENGTH_AT_MOST)) * epochs
        optimizer = 60 * width * (model_spec.tokenizer.vocab_size if model_spec.tokenizer else 30_000)
        return 6 * 12 * layers * width**2 * tokens + optimizer * epochs * examples / model_spec.training.batch_size

    def fit(self, request: FitRequest) -> dict[str, Any]:
        item_head = self._item_head(request)
        if item_head is not None:
            facts: dict[str, Any] = item_fitting.fit(request, item_head)
            return facts
        weights = deferred.DeferredWeights() if starting.is_built_apart(request) else None
        with weights or nullcontext():
            tokenizer, model, head = self.start(request, weights)
        return train_and_save(request, tokenizer, model, head, weights=weights)

    def _item_head(self, request: FitRequest) -> Head | None:
        """Of a task on images or sounds, which are not read as texts are."""
        if not request.family.modalities:
            return None
        config = request.model_spec.config if request.pretrained is None else model_config(request.pretrained)
        assert config is not None
        return self._head(request, config)

    def start(
        self, request: FitRequest, weights: DeferredWeights | None = None
    ) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, Head]:
        """The model spec's model before it is fine-tuned, its tokenizer, and the head for the task. Those of a
        checkpoint stay in its files where they are deferred.
        """
        where = request.pretrained
        if where is None:
            assert request.model_spec.config is not None
            head = self._head(request, request.model_spec.config)
            return *starting.built(request, head), head
        refuse_compressed(where)
        head = self._head(request, model_config(where))
        return *starting.loaded(request, head, weights), head

    def predict(self, request: PredictRequest) -> Predictions:
        if request.task.shots is None:
            served = kept_models.served(request.directory)
            head, tokenizer, model = HEADS.get(served.settings.head), served.tokenizer, served.module
            limit, fitted = served.settings.max_length, served.settings.fitted
            if served.in_torch:
                limit = min(limit, positions_of(model, "encoder") or limit)
            if "cuda" in devices_of(served.settings):
                model.to(devices.pick_device())
        else:
            config = model_config(request.directory)
            name = head_for(request.task, architecture_of(config))
            assert name is not None
            head = HEADS.get(name)
            where = request.directory
            if compressed_settings(where) is not None:
                served = kept_models.served(where)
                model, tokenizer = served.module, served.tokenizer
            else:
                model, tokenizer = kept_models.untrained(where, head.auto_class)
                model.to(devices.pick_device())
            limit, fitted = positions_of(model, "encoder") or LONGEST_WITHOUT_LIMIT, source_facts(config)
        reader = EncodingContext(
            request.task,
            request.labels,
            tokenizer,
            limit,
            request.seed,
            fitted,
            request.shown,
            folder=request.directory,
        )  # fmt: skip
        if head.name == "token-classification":
            names, name = class_names(request.directory), request.directory.name
            outputs = tag_order(names, request.task, request.labels, name, request.label_map)
            return head.predict(model, replace(reader, outputs=outputs), request.split, request.report)
        predicted = head.predict(model, reader, request.split, request.report)
        if head.name not in ("sequence-classification", *ITEM_HEADS) or not request.labels:
            return predicted
        names = class_names(request.directory)
        order = class_order(names, request.task, request.labels, request.directory.name, request.label_map)
        return in_order(request.family, predicted, order)

    def _head(self, request: FitRequest, config: Mapping[str, Any]) -> Head:
        """The head the model spec names, else the one for the family. Raises HarnessError where it does not fit."""
        architecture = architecture_of(config)
        reason = self.not_applicable(request.task, request.model_spec, architecture)
        usual = head_for(request.task, architecture)
        if reason is not None or usual is None:
            raise HarnessError(f"model spec {request.model_spec.name}: {reason}")
        return HEADS.get(_head_name(request.task, request.model_spec, usual))


def train_and_save(
    request: FitRequest,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    head: Head,
    loss: Loss | None = None,
    after_step: Callable[[float], None] | None = None,
    weights: DeferredWeights | None = None,
) -> dict[str, Any]:
    """Fine-tune a model and write it to the request's directory; returns what a record should say of it.

    `loss` instead of the head's is given batches with the number of each example as a further column, `example`.
    `after_step` is called after each step of the optimizer with the fraction done (0..1).
    """

    training = settled(request, model)
    parameters = model.num_parameters()
    adapted = adapting.adapted(request, model, head)
    limit = length_for(training, positions_of(model, "encoder"), tokenizer, request.family, request.train)
    asked = source_facts(model.config.to_dict())
    reader = EncodingContext(
        request.task, request.labels, tokenizer, limit, request.seed, asked, label_smoothing=training.label_smoothing
    )
    fitted = asked | head.fitted(reader, request.train)
    encoded = head.encode(reader, request.train)
    if request.train_in is not None:
        assert training.epochs is not None
        others = (request.train_in(epoch) for epoch in range(1, math.ceil(training.epochs)))
        encoded = one_after_the_other([encoded, *(head.encode(reader, split) for split in others)])
    if loss is not None:
        encoded = replace(encoded, columns={**encoded.columns, "example": range(len(encoded))})
    summed = loss or with_operations(head.loss, training.augment, request.seed)
    select_by = None
    if request.held_out is not None and request.held_out_score is not None:
        held_out, held_out_score = request.held_out, request.held_out_score
        predicting = replace(reader, fitted=fitted)

        def select_by(current: Any) -> float:
            return held_out_score(head.predict(current, predicting, held_out))

    report = trainer.fine_tune(
        model,
        partial(DataCollator.of, tokenizer),
        encoded,
        lambda current, batch: summed(current, batch, reader),
        head.targets(encoded),
        training,
        request.seed,
        request.report,
        select_by,
        after_step,
        request.processes,
        weights,
        perturbing.adversary_of(request, head, summed, reader),
        request.checkpoints if goes_on(training) else None,
        logits_alone=loss is None,
    )
    settings = Settings(head=head.name, max_length=limit, fitted=fitted)
    if request.processes is not None and request.processes.sharded:
        sharding.save_pretrained(model, request.directory, request.processes.number == 0)
    elif adapted is None:
        model.cpu().save_pretrained(request.directory)
        shapes = None if loss is None and after_step is None else shapes_of(model)
        settings = settings.model_copy(update={"shapes": shapes})
    else:
        settings = settings.model_copy(update={"adapter": adapting.saved(request, adapted)})
    tokenizer.save_pretrained(request.directory)
    write_settings(request.directory, settings)
    facts = asdict(report)
    other_loss = loss is not None or after_step is not None
    grows = training.adversarial is not None and training.adversarial.grows
    notes = [] if other_loss or grows else cautions_of(report.losses)
    notes = [*notes, *adapting.cautions(training)]
    losses, rates = facts.pop("losses"), facts.pop("rates")
    for name in ("resumed_from", "compiled"):
        if not facts[name]:
            facts.pop(name)
    if request.losses is not None:
        write_losses(request.losses, losses, rates=rates)
    return {
        "parameters": parameters,
        "vocabulary": len(tokenizer),
        "head": head.name,
        "runtime": "torch",
        "truncated": encoded.truncated,
        "max_length": limit,
        "epochs": training.epochs,
        "learning_rate": training.learning_rate,
        "cautions": notes,
        **facts,
        **adapting.facts(training, model),
    }


def settled(request: FitRequest, model: PreTrainedModel) -> TrainingSpec:
    """The training of a fit with the epochs and the learning rate that its model spec leaves open."""
    training = request.model_spec.training
    parameters = sum(parameter.numel() for parameter in model.parameters())
    rate = learning_rate_for(training, parameters, model.config.is_encoder_decoder)
    return training.model_copy(update={"epochs": epochs_for(training, len(request.train)), "learning_rate": rate})


def _head_name(task: TaskSpec, model_spec: ModelSpec, usual: str) -> str:
    """Of a model that is trained on the task, the model spec's own choice goes first."""
    return model_spec.options.get("head", usual) if task.shots is None else usual


def _reads_text(config: Mapping[str, Any]) -> bool:
    return architecture_of(config) not in ("image-encoder", "audio-encoder")


def _is_pretrained(model_spec: ModelSpec) -> bool:
    return model_spec.pretraining is not None and model_spec.pretraining.steps != 0


def _find(config: dict[str, Any] | None, *names: str) -> int | None:
    return next((int(config[name]) for name in names if config and name in config), None)


LEARNER = TransformerLearner()

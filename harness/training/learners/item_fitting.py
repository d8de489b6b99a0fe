"""Fine-tuning of encoders of images and of sounds, to classify, and linear probes of them. Imports torch: import it
inside functions.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.specs import TrainingSpec
from harness.modeling import processors
from harness.modeling.heads.base import EncodingContext
from harness.modeling.heads.item_classification import ItemClassification, ItemCollator
from harness.modeling.weights.building import build_config
from harness.modeling.weights.loading import load_weights
from harness.modeling.weights.settings import Settings, refuse_compressed, write_settings
from harness.training import devices, trainer
from harness.training.curves import cautions_of, write_losses
from harness.training.defaults import epochs_for, learning_rate_for
from harness.training.learners import linear_probe
from harness.training.learners.base import LINEAR_PROBE, FitRequest

OF_TEXT = ("augment", "adversarial", "peft")
"""Options of a training that are for texts."""


def fit(request: FitRequest, head: ItemClassification) -> dict[str, Any]:
    """Fine-tune a model spec's model and write it to the request's directory; returns what a record should say of it.

    Raises:
        HarnessError: an option that is for texts, several processes, weights that do not fit, or an item that cannot be
            read.
    """
    import transformers

    spec = request.model_spec
    for name in OF_TEXT:
        if getattr(spec.training, name) is not None:
            raise HarnessError(f"model spec {spec.name}: training.{name}: it is for texts; leave it out of {head.name}")
    if request.processes is not None:
        raise HarnessError(f"model spec {spec.name}: {head.name} is fitted by one process; leave out --fsdp")
    of_head = head.config(request.family, request.labels)
    devices.seed_all(request.seed)
    if request.pretrained is None:
        config = build_config(spec, None, **of_head)
        model: Any = getattr(transformers, head.auto_class).from_config(config)
        processor = processors.processor_for(config)
    else:
        refuse_compressed(request.pretrained)
        model = load_weights(head.auto_class, request.pretrained, new_head=True, **of_head)
        processor = processors.processor_in(request.pretrained)
    processor.save(request.directory)
    if spec.options.get(LINEAR_PROBE):
        reader = _reader(request, spec.training, request.directory)
        encoded = head.encode(reader, request.train)
        targets = np.asarray(encoded.columns["labels"])
        probed = linear_probe.probe(model, processor, np.stack(encoded.columns["items"]), targets, request.seed)
        return _saved(request, model, head) | probed
    training = _settled(spec.training, len(request.train), model.num_parameters())
    reader = _reader(request, training, request.directory)
    encoded = head.encode(reader, request.train)
    select_by = None
    if request.held_out is not None and request.held_out_score is not None:
        held_out, score = request.held_out, request.held_out_score

        def select_by(current: Any) -> float:
            return score(head.predict(current, reader, held_out))

    report = trainer.fine_tune(
        model, lambda device: ItemCollator(processor, device), encoded,
        lambda current, batch: head.loss(current, batch, reader), 1.0, training, request.seed, request.report,
        select_by,
    )  # fmt: skip
    saved = _saved(request, model, head)
    facts = asdict(report)
    losses, rates = facts.pop("losses"), facts.pop("rates")
    for name in ("tokens", "resumed_from", "compiled"):
        facts.pop(name)
    if request.losses is not None:
        write_losses(request.losses, losses, rates=rates)
    return {
        **saved, "epochs": training.epochs, "learning_rate": training.learning_rate,
        "cautions": cautions_of(report.losses), **facts,
    }  # fmt: skip


def _saved(request: FitRequest, model: Any, head: ItemClassification) -> dict[str, Any]:
    """What a record says of any classifier of items, which is written beside its processor."""
    model.cpu().save_pretrained(request.directory)
    write_settings(request.directory, Settings(head=head.name, max_length=1))
    return {"parameters": model.num_parameters(), "head": head.name, "runtime": "torch"}


def _settled(training: TrainingSpec, examples: int, parameters: int) -> TrainingSpec:
    """With the epochs and the learning rate that a model spec leaves open."""
    rate = learning_rate_for(training, parameters, False)
    return training.model_copy(update={"epochs": epochs_for(training, examples), "learning_rate": rate})


def _reader(request: FitRequest, training: TrainingSpec, folder: Path) -> EncodingContext:
    no_tokenizer: Any = None
    return EncodingContext(
        request.task, request.labels, no_tokenizer, 1, request.seed,
        label_smoothing=training.label_smoothing, folder=folder,
    )  # fmt: skip

"""Training values that a model spec leaves open, by the size of the training split and of the model.

Small splits get more epochs: fine-tuning needs some hundreds of steps to leave chance, however few the examples
(Mosbach et al. 2021; Zhang et al. 2021). Small models take larger steps (Turc et al. 2019 for BERT's miniatures,
Devlin et al. 2019 for the base size), encoder–decoders larger ones than encoders (Raffel et al. 2020). Adapters take
larger steps than all weights: LoRA's papers have 2e-4 to 5e-4 where full fine-tuning has 1e-5 to 5e-5 (Hu et al. 2021,
tables 9 and 11), (IA)³'s 3e-3 (Liu et al. 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

from harness.core import plugins
from harness.core.families import ENCODED_AT_ONCE, Family
from harness.core.specs import TrainingSpec
from harness.data.frame import Split

EPOCHS = 3.0
STEPS_AT_LEAST = 300
EPOCHS_AT_MOST = 100.0
RATES = ((20e6, 3e-4), (60e6, 1e-4), (200e6, 3e-5))
"""Learning rates of AdamW for models of fewer parameters than the first number."""
RATE_OF_LARGE = 1e-5
RATE_OF_ENCODER_DECODERS = 3e-4
RATE_OF_ADAFACTOR = 5e-3
"""Relative to the size of each weight."""
RATE_OF_LORA = 10.0
"""Times that of all weights."""
RATE_OF_LORA_AT_MOST = 5e-4
"""The largest of LoRA's paper; at twice as much one of three trainings of MiniLM failed (docs/results/lora.md)."""
RATE_OF_IA3 = 3e-3
LENGTH_AT_MOST = 1024
"""Tokens read at once by a model whose own limit is larger, or that has none, unless the texts are longer."""
LENGTH_AT_LEAST = 128


def epochs_for(training: TrainingSpec, examples: int) -> float:
    """Passes over so many examples: three, or as many as take 300 steps of the optimizer, at most 100."""
    if training.epochs is not None:
        return training.epochs
    steps = max(1, math.ceil(examples / training.batch_size))
    return min(max(EPOCHS, float(math.ceil(STEPS_AT_LEAST / steps))), EPOCHS_AT_MOST)


def learning_rate_for(training: TrainingSpec, parameters: int, is_encoder_decoder: bool) -> float:
    """The peak learning rate of a model of so many parameters."""
    if training.learning_rate is not None:
        return training.learning_rate
    if training.peft is not None:
        if training.peft.method == "ia3":
            return RATE_OF_IA3
        whole = learning_rate_for(training.model_copy(update={"peft": None}), parameters, is_encoder_decoder)
        return min(RATE_OF_LORA * whole, RATE_OF_LORA_AT_MOST)
    if training.optimizer == "adafactor":
        return RATE_OF_ADAFACTOR
    if is_encoder_decoder and parameters < RATES[-1][0]:
        return RATE_OF_ENCODER_DECODERS
    return next((rate for below, rate in RATES if parameters < below), RATE_OF_LARGE)


def length_for(training: TrainingSpec, limit: int | None, tokenizer: Any, family: Family, split: Split) -> int:
    """Tokens read at once: what the spec says, else all that the model has positions for; of a model with more than
    1,024 of them, or no limit, the 99th percentile of the training texts, at least 128.

    Args:
        training: The settings.
        limit: How many tokens the model has positions for; None where nothing limits them.
        tokenizer: The model's.
        family: What a text or pair of texts is.
        split: The training split.

    Returns:
        A number of tokens, at most `limit`.
    """
    if training.max_length is not None:
        return min(training.max_length, limit or training.max_length)
    if limit is not None and limit <= LENGTH_AT_MOST:
        return limit
    first, second = family.texts(split)
    texts = map(" ".join, zip(first, second, strict=True)) if second else iter(first)
    lengths: list[int] = []
    while some := list(islice(texts, ENCODED_AT_ONCE)):
        lengths += [len(ids) for ids in tokenizer(some, verbose=False)["input_ids"]]
    lengths.sort()
    usual = percentile(lengths, 0.99) if lengths else 0
    wanted = max(LENGTH_AT_LEAST, 8 * math.ceil(usual / 8))
    return min(wanted, limit or LENGTH_AT_MOST, LENGTH_AT_MOST)


def percentile(ordered: Sequence[int], fraction: float) -> int:
    """The smallest of the ordered values that is not below the given fraction of them."""
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)]


def goes_on(training: TrainingSpec) -> bool:
    """Whether a fine-tuning that is cut off can go on from its weights and moments: where nothing else is kept from
    step to step, such as the best weights so far, their mean, or the place in a file of texts.
    """
    adversarial, operations = training.adversarial, [] if training.augment is None else training.augment.named
    return not (
        training.select == "best"
        or training.average_last is not None
        or (training.peft is not None and training.peft.quantize_base is not None)
        or (adversarial is not None and (adversarial.method == "smart" or adversarial.unlabelled is not None))
        or any(plugins.lookup("augmentation", name).on == "training" for name, _ in operations)
    )

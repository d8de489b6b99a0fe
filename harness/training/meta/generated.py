"""The output layer of a classifier to be fine-tuned, made of its training examples. Imports torch at its top."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.core.errors import DamagedFileError
from harness.core.families import Labelling
from harness.data.frame import Split
from harness.modeling.inference.batching import DataCollator
from harness.training.meta.classifier import Generator, class_means
from harness.training.meta.episodes import GENERATOR_FILE

ROWS = 64


@torch.no_grad()
def set_generated_head(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    family: Labelling,
    train: Split,
    limit: int,
) -> None:
    """Give a classifier that is to be fine-tuned the output layer that the generator beside its weights makes of the
    training examples. Raises DamagedFileError for one that does not fit.
    """
    layer_name, layer = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)][-1]
    generator = Generator(layer.in_features)
    try:
        generator.load_state_dict(load_file(folder / GENERATOR_FILE))
    except Exception as error:  # safetensors and torch each have errors of their own
        raise DamagedFileError(f"{folder / GENERATOR_FILE} is damaged ({' '.join(str(error).split())[:200]})") from None
    columns = family.encode(tokenizer, train, limit)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    pad = DataCollator.of(tokenizer, model.device)
    model.eval()
    model.set_submodule(layer_name, nn.Identity())
    features = torch.cat([model(**pad(rows[start : start + ROWS])).logits for start in range(0, len(rows), ROWS)])
    model.set_submodule(layer_name, layer)
    model.train()
    labels = torch.tensor(train.labels)
    made = generator(class_means(features.cpu(), labels, layer.out_features))
    layer.weight.copy_(made[:, :-1])
    layer.bias.copy_(made[:, -1])

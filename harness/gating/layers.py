"""Two models of one architecture, layer by layer: how far the weights moved, and what comes of it on examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.core.store import Store
from harness.data.frame import Split
from harness.gating.pairing import Pair
from harness.gating.run_results import Scored, TaskSplit
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.inference.batching import DataCollator
from harness.modeling.runtimes import RuntimeModel, open_model, read_settings
from harness.stats.representations import RepresentationSimilarity

if TYPE_CHECKING:
    import torch
    from torch import nn

EXAMPLES = 128
WIDEST = 8192
"""Outputs of more features, such as those over a vocabulary, are not compared: their products would fill the memory."""


@dataclass(frozen=True)
class Layer:
    """Means over the paired seeds. `weights` is ‖candidate − base‖ / ‖base‖ of all parameters of the layer, None where
    shapes differ; `cka` and `mse` are of its outputs, None where it has none that can be compared.
    """

    model: str
    task: str
    layer: str
    weights: float | None
    cka: float | None
    mse: float | None
    parameters: int
    examples: int
    seeds: int


Find = Callable[[Scored], Path | None]
"""The folder of the model that made these predictions, where it is at hand."""


def finder(stores: Sequence[Store]) -> Find:
    def find(scored: Scored) -> Path | None:
        return next((store.model(scored.cell) for store in stores if scored.cell and store.has(scored.cell)), None)

    return find


def layers_of(pair: Pair, task: TaskSpec, texts: Callable[[TaskSplit], Split | None], find: Find) -> list[Layer]:
    """The layers of a pair's models on the first examples of the split that is scored, in the order of the model.

    Raises:
        HarnessError: a model or the texts are not at hand, a model that torch does not run, or another architecture.
    """
    task_split = pair.task_splits[0]
    split = texts(task_split)
    if split is None or split.labels is None:
        raise HarnessError(
            f"--by layer: the examples of {task_split.task} {task_split.split} are not at hand; run it on this data"
        )
    split = split.head(EXAMPLES)
    by_seed = []
    for base, candidate in pair.one_to_one().scored[task_split.split]:
        folders = _folder(base, pair.base_model, find), _folder(candidate, pair.candidate_model, find)
        by_seed.append(_compared(*folders, task, task_split.labels, split))
    if not by_seed:
        raise HarnessError(f"--by layer: no seed of {pair.model} on {task_split.task} was scored in both runs")
    return [
        Layer(
            pair.model, task_split.task, name, _mean([layer[name].weights for layer in by_seed]),
            _mean([layer[name].cka for layer in by_seed]), _mean([layer[name].mse for layer in by_seed]),
            by_seed[0][name].parameters, len(split), len(by_seed),
        )
        for name in by_seed[0]
    ]  # fmt: skip


def _folder(scored: Scored, name: str, find: Find) -> Path:
    folder = find(scored)
    if folder is None:
        raise HarnessError(
            f"--by layer: the model {name} is not at hand: a baseline keeps scores and predictions only; name a run "
            "whose results folder has it"
        )
    if scored.learner != "transformer":
        raise HarnessError(f"--by layer: {name} is no transformer, but {scored.learner}; it has no layers")
    return folder


@dataclass(frozen=True)
class _Facts:
    weights: float | None
    cka: float | None
    mse: float | None
    parameters: int


def _compared(base: Path, candidate: Path, task: TaskSpec, labels: tuple[str, ...], split: Split) -> dict[str, _Facts]:
    for folder in (base, candidate):
        runtime = read_settings(folder).runtime
        if runtime != "torch":
            raise HarnessError(f"--by layer: {folder} runs in {runtime}, which shows no layers; torch models do")
    models = [open_model(folder) for folder in (base, candidate)]
    names = [list(layers(model.module)) for model in models]
    if names[0] != names[1]:
        strange = next(iter({*names[0]} ^ {*names[1]}), names[1][0])
        raise HarnessError(f"--by layer: not of one architecture: only one of the two models has {strange}")
    alike = _alike(models, names[0], task, labels, split)
    by_layer = {}
    for name, tensors in layers(models[0].module).items():
        others = layers(models[1].module)[name]
        outputs = alike.get(name)
        by_layer[name] = _Facts(
            _change(tensors, others),
            outputs.cka() if outputs else None,
            outputs.normalized_mse() if outputs else None,
            sum(tensor.numel() for tensor in tensors.values()),
        )
    return by_layer


def layers(module: nn.Module) -> dict[str, dict[str, torch.Tensor]]:
    """Parameters by layer: a block of a stack (`bert.encoder.layer.0`), else what lies at the top of the model
    (`bert.embeddings`, `classifier`).
    """
    by_layer: dict[str, dict[str, torch.Tensor]] = {}
    for name, parameter in module.named_parameters():
        block = re.match(r"(.*?\.\d+)\.", name)
        owner = name.rpartition(".")[0].split(".")
        layer = block[1] if block else ".".join(owner[:2])
        by_layer.setdefault(layer, {})[name] = parameter.detach()
    return by_layer


def _change(base: Mapping[str, torch.Tensor], candidate: Mapping[str, torch.Tensor]) -> float | None:
    if {name: tensor.shape for name, tensor in base.items()} != {
        name: tensor.shape for name, tensor in candidate.items()
    }:
        return None
    moved = sum(float((candidate[name].double() - tensor.double()).square().sum()) for name, tensor in base.items())
    length = sum(float(tensor.double().square().sum()) for tensor in base.values())
    return (moved / length) ** 0.5 if length else None


def _alike(
    models: Sequence[RuntimeModel], names: Sequence[str], task: TaskSpec, labels: tuple[str, ...], split: Split
) -> dict[str, RepresentationSimilarity]:
    """Each example alone, so that nothing is padding; generative models are given their references."""
    import torch

    inputs = []
    for model in models:
        head = HEADS.get(model.settings.head)
        reader = EncodingContext(task, labels, model.tokenizer, model.settings.max_length, 0, model.settings.fitted)
        inputs.append((head, reader, head.encode(reader, split), DataCollator.of(model.tokenizer, torch.device("cpu"))))
    if dict(inputs[0][2].columns) != dict(inputs[1][2].columns):
        raise HarnessError("--by layer: the two models read the examples as different tokens, so nothing corresponds")
    by_layer: dict[str, RepresentationSimilarity] = {}
    for at in range(len(inputs[0][2])):
        by_model = []
        for model, (head, reader, encoded, padding) in zip(models, inputs, strict=True):
            outputs: dict[str, Any] = {}
            hooks = [model.module.get_submodule(name).register_forward_hook(_keep(outputs, name)) for name in names]
            try:
                with torch.inference_mode():
                    head.loss(model.module, padding(encoded.rows([at])), reader)
            finally:
                for hook in hooks:
                    hook.remove()
            by_model.append(outputs)
        for name, base, candidate in _shared(*by_model):
            by_layer.setdefault(name, RepresentationSimilarity()).add(base, candidate)
    return by_layer


def _keep(outputs: dict[str, Any], name: str) -> Callable[..., None]:
    def hook(module: Any, arguments: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if hasattr(first, "shape") and first.ndim >= 2 and first.shape[-1] <= WIDEST:
            outputs[name] = first.float().reshape(-1, first.shape[-1]).numpy()

    return hook


def _shared(base: Mapping[str, Any], candidate: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name, outputs in base.items():
        other = candidate.get(name)
        if other is not None and len(outputs) == len(other):
            yield name, outputs, other


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None

"""Mixup: examples and their classes are mixed in pairs while a classifier is trained.

Zhang et al. 2018 (arXiv 1710.09412); for texts Guo et al. 2019 (arXiv 1905.08941), whose wordMixup and senMixup these
are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from harness.core.families import FAMILIES
from harness.core.specs import TaskSpec
from harness.core.strict_spec import Strict
from harness.data.augment.base import TrainingOperation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

LABELS, MASK = "labels", "attention_mask"


class MixupOptions(Strict):
    """How much of each of two examples, and what of them.

    Attributes:
        alpha: The fraction of the first is drawn from Beta(alpha, alpha): near 0 or 1 where it is small.
        at: `words`, the embeddings of tokens; `sentence`, what the last layer reads.
    """

    alpha: float = Field(default=0.2, gt=0, le=100)
    at: Literal["words", "sentence"] = "words"


class Mixup(TrainingOperation):
    """The embeddings of two examples of a batch are mixed, and the loss is that of both classes in the same mixture.

    `words` mixes the embeddings of tokens place by place; the longer text's mask is that of both. `sentence` mixes what
    the last, linear layer reads, which is the same as to mix its logits.
    """

    Options = MixupOptions
    source = "Guo et al. 2019 (arXiv 1905.08941)"
    heads = frozenset({"sequence-classification"})

    def refusal(self, task: TaskSpec) -> str | None:
        if FAMILIES.get(task.family).predictions == "labels":
            return None
        return f"mixes two classes, and {task.family} has none"

    def loss(
        self, inner: Callable[[Any, dict[str, Any]], Any], model: Any, batch: Mapping[str, Any], step: int, seed: int
    ) -> Any:
        """λ times the loss of the mixed batch by the labels of each example and 1 - λ times that by its partner's."""
        labels = batch[LABELS]
        inputs = {name: values for name, values in batch.items() if name != LABELS}
        random = np.random.default_rng([seed, step])
        fraction = float(random.beta(self.options.alpha, self.options.alpha))
        partner = labels.new_tensor(random.permutation(len(labels)), dtype=int)
        if self.options.at == "words":
            if MASK in inputs:
                inputs[MASK] = inputs[MASK].maximum(inputs[MASK][partner])
            with mixed_output(model.get_input_embeddings(), fraction, partner):
                logits = model(**inputs).logits
        else:
            logits = _mixed(model(**inputs).logits, fraction, partner)

        def loss(of: torch.Tensor) -> torch.Tensor:
            return inner(lambda **_: SimpleNamespace(logits=logits), {**inputs, LABELS: of})

        return fraction * loss(labels) + (1 - fraction) * loss(labels[partner])


@contextmanager
def mixed_output(module: Any, fraction: float, partner: torch.Tensor) -> Iterator[None]:
    """What a module gives of each example of a batch is mixed with what it gives of another one."""
    hook = module.register_forward_hook(lambda _, given, output: _mixed(output, fraction, partner))
    try:
        yield
    finally:
        hook.remove()


def _mixed(values: torch.Tensor, fraction: float, partner: torch.Tensor) -> torch.Tensor:
    return fraction * values + (1 - fraction) * values[partner]

"""The loss over a vocabulary at the positions that have labels: all logits at once, or in parts where they are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from harness.core.lazy import lazy
from harness.modeling.inference.batching import IGNORED
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import torch

linear_cross_entropy = lazy("harness.modeling.heads.linear_cross_entropy")

LARGE = 2**23
"""Logits of a batch, 32 MiB in float32, above which they are never all held: beyond a core's cache each pass over them
costs more than the products they come from.
"""

_LINEAR: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def summed(
    model: Any, batch: dict[str, torch.Tensor], labels: torch.Tensor, shifted: bool, smoothing: float = 0.0
) -> Outputs:
    """Cross-entropy summed over the labels that are not ignored."""
    from torch.nn.functional import cross_entropy

    scores = labelled_scores(model, batch, labels, shifted).logits.float()
    loss = cross_entropy(scores, labels[labels != IGNORED], reduction="sum", label_smoothing=smoothing)
    return Outputs(loss, (scores,))


def labelled_scores(
    model: Any, batch: dict[str, torch.Tensor], labels: torch.Tensor, shifted: bool, **options: Any
) -> Any:
    """The model's output with `logits` (targets, vocabulary) of the labels that are not ignored.

    The output layer sees their positions only: before it, a hook takes these out of the hidden states (b, t, width),
    the last of which predicts nothing where labels are `shifted`.
    """
    wanted = labels != IGNORED

    def select(module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = inputs[0][:, :-1] if shifted else inputs[0]
        return (hidden[wanted], *inputs[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(select)
    try:
        return model(**batch, use_cache=False, **options)
    finally:
        hook.remove()


def summed_loss(
    model: Any, batch: dict[str, torch.Tensor], labels: torch.Tensor, shifted: bool, smoothing: float = 0.0
) -> torch.Tensor:
    """The loss of `summed`, and its gradients, to rounding. Where the logits would be many, and a linear layer makes
    them, they are made some rows at a time, together with their gradients.
    """
    head = model.get_output_embeddings()
    words = getattr(head, "out_features", 0)
    if smoothing or labels.numel() * words < LARGE or not has_linear_head(model, batch, labels, shifted):
        return summed(model, batch, labels, shifted, smoothing).loss
    hidden, kept = labelled_hidden(model, batch, labels, shifted), labels[labels != IGNORED]
    mean: torch.Tensor = linear_cross_entropy.linear_cross_entropy(hidden, head.weight, head.bias, kept)
    return mean * len(kept)


def labelled_hidden(model: Any, batch: dict[str, torch.Tensor], labels: torch.Tensor, shifted: bool) -> torch.Tensor:
    """The hidden states (targets, width) that the output layer would read; it reads none of them."""
    wanted, read = labels != IGNORED, []

    def take(module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden = inputs[0][:, :-1] if shifted else inputs[0]
        read.append(hidden[wanted])
        return (read[0][:0], *inputs[1:])

    hook = model.get_output_embeddings().register_forward_pre_hook(take)
    try:
        model(**batch, use_cache=False)
    finally:
        hook.remove()
    return read[0]


def has_linear_head(model: Any, batch: dict[str, torch.Tensor], labels: torch.Tensor, shifted: bool) -> bool:
    """Whether a plain linear layer is all that makes logits: some models scale, cap or shift them after it.

    Tried out on the first row of the first batch; random numbers and the model's mode stay as they were.
    """
    import torch

    if model not in _LINEAR:
        head = model.get_output_embeddings()
        _LINEAR[model] = False
        if type(head) is torch.nn.Linear and type(head.weight) is torch.nn.Parameter:
            row, first, was_training = {name: value[:1] for name, value in batch.items()}, labels[:1], model.training
            model.eval()
            with torch.no_grad():
                hidden = labelled_hidden(model, row, first, shifted)
                scores = labelled_scores(model, row, first, shifted).logits
                _LINEAR[model] = torch.allclose(head(hidden), scores, rtol=1e-4, atol=1e-5)
            model.train(was_training)
    return _LINEAR[model]

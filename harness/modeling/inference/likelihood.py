"""Log-likelihoods of texts and of continuations, in nats.

What the sequences of a task share is read once: the examples that its prompts show, the prompt of several choices, the
beginnings of sentences (`token_tree`, `tree_passes`). Logits are made where a token is scored (`output_layer`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.lazy import lazy
from harness.modeling.inference import token_tree
from harness.modeling.inference.token_tree import Sharing

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel

tree_passes = lazy("harness.modeling.inference.tree_passes")
output_layer = lazy("harness.modeling.inference.output_layer")
output_passes = lazy("harness.modeling.inference.output_passes")
sharing = lazy("harness.modeling.inference.sharing")

Scores = tuple["np.ndarray", "np.ndarray"]
"""Log-likelihoods, and whether each is of what greedy decoding writes."""
Pair = tuple[Sequence[int], Sequence[int]]
"""A context and what follows it."""
Report = Callable[[float], None]
WORTH_TRYING = 512
"""Tokens that must be saved for it to be tried what a model can share."""


def of_continuations(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    report: Report = lambda fraction: None,
) -> np.ndarray:
    """Log-likelihoods (n, k) of k continuations of each of n prompts; see `of_pairs`."""
    pairs = [(prompt, after) for prompt, choices in zip(prompts, continuations, strict=True) for after in choices]
    return of_pairs(model, pairs, report, with_greedy=False)[0].reshape(len(prompts), -1)


def of_pairs(
    model: PreTrainedModel, pairs: Sequence[Pair], report: Report = lambda fraction: None, with_greedy: bool = True
) -> Scores:
    """Log-likelihoods (n,) of n continuations, each after its context, and whether greedy decoding writes them.

    Args:
        model: A causal model; or an encoder–decoder, whose input a context is and whose output the continuation.
        pairs: Token ids, neither part empty.
        report: Is told the fraction that is done.
        with_greedy: Whether the second part of the result is wanted; if not, it means nothing.
    """
    import numpy as np
    import torch

    if not pairs:
        return np.zeros(0), np.zeros(0, dtype=bool)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        if model.config.is_encoder_decoder:
            scores: Scores = output_passes.of_outputs(model, pairs, report, with_greedy)
        else:
            scores = _of_sequences(model, pairs, report, with_greedy)
    model.train(was_training)
    return scores


def _of_sequences(model: Any, pairs: Sequence[Pair], report: Report, with_greedy: bool) -> Scores:
    import numpy as np

    sequences, places = token_tree.in_order([[*before, *after][:-1] for before, after in pairs])
    targets: list[list[Any]] = [[] for _ in sequences]
    for owner, ((before, after), place) in enumerate(zip(pairs, places, strict=True)):
        targets[place].append(tree_passes.Target(owner, len(before) - 1, np.asarray(after, dtype=np.int64)))
    longest = tree_passes.TOKENS[model.device.type]
    attention = 1 / (6 * getattr(model.config.get_text_config(), "hidden_size", 1024))
    output = output_layer.OutputLayer(model, len(pairs), with_greedy)
    shared, plan = Sharing.TREES, token_tree.plan(sequences, Sharing.TREES, longest, attention)
    if sum(map(len, sequences)) - plan.tokens < WORTH_TRYING:
        shared = Sharing.NOTHING
    elif plan.needs > Sharing.NOTHING:
        shared = sharing.sharing_of(model, sequences, output, bool(plan.prefixes))
        output.begin(len(pairs), with_greedy)
    if shared < plan.needs:
        plan = token_tree.plan(sequences, shared, longest, attention)
    tree_passes.TreePasses(model, sequences, targets, shared, output).run(plan, report)
    output.finish()
    return output.nats, output.greedy


def of_texts(
    model: PreTrainedModel,
    texts: Sequence[Sequence[int]],
    start: int,
    size: int,
    report: Report = lambda fraction: None,
) -> np.ndarray:
    """Log-likelihoods (n,) of whole texts after the token `start`, by windows of `size` tokens.

    Every token is predicted once: the rolling log-likelihood of lm-evaluation-harness.
    """
    import numpy as np

    pairs, owners = [], []
    for owner, text in enumerate(texts):
        for pair in windows(text, start, size):
            pairs.append(pair)
            owners.append(owner)
    result = np.zeros(len(texts))
    np.add.at(result, np.asarray(owners, dtype=np.int64), of_pairs(model, pairs, report, with_greedy=False)[0])
    return result


def windows(text: Sequence[int], start: int, size: int) -> list[tuple[Sequence[int], Sequence[int]]]:
    """A text after the token `start`, as pairs of what a window sees and what it predicts."""
    whole = [start, *text]
    return [(whole[begin : first + 1], text[first:end]) for begin, first, end in rolling(len(text), size)]


def rolling(length: int, size: int) -> list[tuple[int, int, int]]:
    """Windows over a text of `length` tokens: where each begins, the first token it predicts, and its end.

    A window predicts the `size` tokens that follow the one before; the last, if shorter, begins earlier, so that it
    too sees as much as fits.
    """
    ends = [*range(size, length, size), length] if length else []
    return [(max(0, end - size), first, end) for first, end in zip(range(0, length, size), ends, strict=True)]

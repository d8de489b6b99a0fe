"""What a model can share between sequences, seen by trying it on a few tokens. Imports torch: import it inside
functions.

Caches, masks and positions differ from architecture to architecture. A way of reading is taken where it gives, up to
rounding, what the model gives of each sequence alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch

from harness.modeling.inference.output_layer import OutputLayer
from harness.modeling.inference.token_tree import Prefix, Row, Segment, Sharing
from harness.modeling.inference.tree_passes import Target, TreePasses

WINDOWS = ("window", "chunk", "local_attention")
"""Words in the settings of a config that say how far a token attends."""
NO_WINDOWS = {"chunk_size_feed_forward", "max_window_layers"}
CHANGING = {"dynamic", "longrope"}
"""Kinds of rotary positions that are others once a text is longer than those that a model was first trained on."""
ALIKE = {torch.float32: 1e-5, torch.float64: 1e-5}
"""How far the log-likelihood of a token may be off, relative to its size (at least 1)."""
ALIKE_OTHERWISE = 1e-2
NOISE = 10
"""How many times as far as those that a model gives of a sequence alone and beside others."""
FAILURES = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What models raise that cannot be called in a way."""

_ALONE = tuple(Row((Segment(number, number + 1, 0, 4),)) for number in range(3))
_EMPTY = Segment(0, 3, 0, 0)
_LEAVES = (Segment(0, 2, 2, 3), Segment(0, 1, 3, 4), Segment(1, 2, 3, 4))
_TREES = Prefix(_EMPTY, [Row((Segment(0, 2, 0, 2), *_LEAVES, Segment(2, 3, 0, 4)), (-1, 0, 1, 1, -1))])
"""One row that holds two trees."""
_TREES_AFTER = Prefix(
    _EMPTY, [], [Prefix(Segment(0, 3, 0, 2), [Row(_LEAVES, (-1, 0, 0)), Row((Segment(2, 3, 2, 4),))])]
)
_PREFIXES = Prefix(
    _EMPTY,
    [],
    [Prefix(Segment(0, 3, 0, 2), [Row((Segment(number, number + 1, 2, 4),)) for number in range(3)])],
)
"""Ways to read three sequences of four tokens, all of which share two and the first two a third."""

_Way = tuple[Prefix, Sharing]
_SEPARATE: list[_Way] = [(Prefix(_EMPTY, [row]), Sharing.NOTHING) for row in _ALONE]
_BESIDE: _Way = (Prefix(_EMPTY, [*_ALONE]), Sharing.NOTHING)
_SHARED: dict[Sharing, list[_Way]] = {
    Sharing.TREES: [(_TREES, Sharing.TREES), (_TREES_AFTER, Sharing.TREES)],
    Sharing.PREFIXES: [(_PREFIXES, Sharing.PREFIXES)],
}


@torch.inference_mode()
def sharing_of(
    model: Any, sequences: Sequence[np.ndarray], output: OutputLayer, keeps_prefixes: bool = True
) -> Sharing:
    """What a causal model can share between sequences.

    Args:
        model: The model.
        sequences: Token ids.
        output: Scores what is tried, and learns of the model's output layer what whoever uses it next need not learn.
        keeps_prefixes: Whether it matters that branches follow what is kept.
    """
    if getattr(model, "_is_stateful", False) or max(map(len, sequences)) > _reach(model.config):
        return Sharing.NOTHING
    ids = np.unique(np.concatenate(sequences[:100]))
    tokens = np.resize(ids, 7)
    tried = [tokens[[0, 1, 2, 3]], tokens[[0, 1, 2, 4]], tokens[[0, 1, 5, 6]]]

    def nats(ways: Sequence[_Way]) -> np.ndarray:
        """The log-likelihoods (ways, 3): 0 of what a way does not read."""
        output.begin(3 * len(ways), with_greedy=False)
        for number, (plan, shared) in enumerate(ways):
            targets = [[Target(3 * number + place, 0, np.roll(row, -1))] for place, row in enumerate(tried)]
            TreePasses(model, tried, targets, shared, output).run(plan)
        output.finish()
        return output.nats.reshape(-1, 3)

    def are_alike(made: np.ndarray, expected: np.ndarray, noise: np.ndarray | float = 0.0) -> bool:
        most = ALIKE.get(model.dtype, ALIKE_OTHERWISE) * np.maximum(1, np.abs(expected)) + NOISE * noise
        return bool((np.abs(made - expected) <= most).all())

    with suppress(*FAILURES):
        beside, *made = nats([_BESIDE, *_SHARED[Sharing.TREES][: 1 + keeps_prefixes]])
        if are_alike(np.stack(made), beside):
            return Sharing.TREES
    alone, beside = nats(_SEPARATE).sum(0), nats([_BESIDE])[0]
    for shared, ways in _SHARED.items():
        with suppress(*FAILURES):
            if are_alike(nats(ways), alone, np.abs(beside - alone)):
                return shared
    return Sharing.NOTHING


def _reach(config: Any) -> float:
    """How long a text may be whose tokens attend to all before them and stand where they would in a short one."""
    settings = config.get_text_config().to_dict()
    windows = [
        value
        for name, value in settings.items()
        if type(value) is int and value > 0 and any(word in name for word in WINDOWS) and name not in NO_WINDOWS
    ]
    rotary = settings.get("rope_parameters") or {}
    kinds = [part for part in (rotary, *rotary.values()) if isinstance(part, dict)]
    first = [
        part.get("original_max_position_embeddings") or settings["max_position_embeddings"]
        for part in kinds
        if part.get("rope_type") in CHANGING
    ]
    return min([*windows, *first], default=float("inf"))

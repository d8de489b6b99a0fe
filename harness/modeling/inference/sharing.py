"""What a model can share between sequences, seen by trying it on a few tokens. Imports torch: import it inside
functions.

Caches, masks and positions differ from architecture to architecture. A way of reading is taken where it gives, up to
rounding, what the model gives of each sequence alone.
"""

from __future__ import annotations

from collections.abc import Sequence
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

_ALONE = tuple(Row((Segment(number, number + 1, 0, 4),)) for number in range(3))
_EMPTY = Segment(0, 3, 0, 0)
_LEAVES = (Segment(0, 2, 2, 3), Segment(0, 1, 3, 4), Segment(1, 2, 3, 4))
_PLANS = {
    Sharing.TREES: (
        Prefix(_EMPTY, [Row((Segment(0, 3, 0, 2), *_LEAVES, Segment(2, 3, 2, 4)), (-1, 0, 1, 1, 0))]),
        Prefix(_EMPTY, [], [Prefix(Segment(0, 3, 0, 2), [Row(_LEAVES, (-1, 0, 0)), Row((Segment(2, 3, 2, 4),))])]),
    ),
    Sharing.PREFIXES: (
        Prefix(
            _EMPTY,
            [],
            [Prefix(Segment(0, 3, 0, 2), [Row((Segment(number, number + 1, 2, 4),)) for number in range(3)])],
        ),
    ),
}
"""Ways to read three sequences of four tokens, all of which share two and the first two a third."""


@torch.inference_mode()
def sharing_of(model: Any, sequences: Sequence[np.ndarray]) -> Sharing:
    """What a causal model can share between these sequences."""
    if getattr(model, "_is_stateful", False) or max(map(len, sequences)) > _reach(model.config):
        return Sharing.NOTHING
    ids = np.unique(np.concatenate(sequences[:100]))
    tokens = np.resize(ids, 7)
    tried = [tokens[[0, 1, 2, 3]], tokens[[0, 1, 2, 4]], tokens[[0, 1, 5, 6]]]
    output = OutputLayer(model, 15, with_greedy=False)

    def read(plan: Prefix, shared: Sharing, owner: int) -> None:
        targets = [[Target(owner + number, 0, np.roll(row, -1))] for number, row in enumerate(tried)]
        TreePasses(model, tried, targets, shared, output).run(plan)

    for row in _ALONE:
        read(Prefix(_EMPTY, [row]), Sharing.NOTHING, 0)
    read(Prefix(_EMPTY, [*_ALONE]), Sharing.NOTHING, 3)
    owners = {Sharing.TREES: (6, 9), Sharing.PREFIXES: (12,)}
    for shared, plans in _PLANS.items():
        try:
            for owner, plan in zip(owners[shared], plans, strict=True):
                read(plan, shared, owner)
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
            del owners[shared]
    output.finish()
    alone, beside = output.nats[:3], output.nats[3:6]
    most = ALIKE.get(model.dtype, ALIKE_OTHERWISE) * np.maximum(1, np.abs(alone)) + NOISE * np.abs(beside - alone)
    for shared, of_plans in owners.items():
        if all((np.abs(output.nats[owner : owner + 3] - alone) <= most).all() for owner in of_plans):
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

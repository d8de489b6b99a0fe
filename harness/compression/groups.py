"""Groups of a model's layers by name, `layer.3.ffn`, which a method may skip.

Attention and feed-forward layers are groups of their own, an encoder–decoder's by stack: `decoder.0.cross-attention`;
a linear layer outside the stacks is one by its module's name. Imports torch: import it inside functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from transformers import PreTrainedModel

from harness.compression.options import LayerOptions
from harness.core.errors import HarnessError, unknown
from harness.modeling.weights.layers import Projection, embeddings, linear_layers

EMBEDDINGS = "embeddings"
CROSS = ("encdecattention", "crossattention", "encoder_attn")
ATTENTION = ("attention", "attn")


@dataclass(frozen=True)
class Chosen:
    """What a method may touch: linear layers by module name, without those of the head, and the embeddings."""

    linear: dict[str, Projection]
    embeddings: bool
    groups: tuple[str, ...]


def group_of(model: PreTrainedModel, module: str) -> str:
    """The group of a linear layer by its module's name: its stack, its number there, what it is part of."""
    match = re.match(r"(.*?)\.(\d+)\.(.*)", module)
    if match is None:
        return module.removeprefix(f"{model.base_model_prefix}.")
    before, number, inside = match[1], match[2], match[3].lower()
    stack = "layer"
    if model.config.is_encoder_decoder:
        stack = "decoder" if "decoder" in before.split(".") else "encoder"
    kind = "ffn"
    if any(name in inside for name in CROSS):
        kind = "cross-attention"
    elif any(name in inside for name in ATTENTION):
        kind = "attention"
    return f"{stack}.{number}.{kind}"


def chosen(model: PreTrainedModel, options: LayerOptions, with_embeddings: bool = False) -> Chosen:
    """What `skip` and `only` leave of a model's layers, and of its embeddings for a method that touches them.

    Raises:
        HarnessError: a name that is no group, nor the beginning of one, or nothing is left.
    """
    linear = linear_layers(model)
    groups = {name: group_of(model, name) for name in linear}
    known = [*dict.fromkeys(groups.values()), EMBEDDINGS]
    for given in (*options.skip, *options.only):
        if not any(_covers(given, group) for group in known):
            raise unknown("layer", given, known, "skip or only")
    has_embeddings = with_embeddings and bool(embeddings(model)) and _wanted(EMBEDDINGS, options)
    left = {name: module for name, module in linear.items() if _wanted(groups[name], options)}
    if not left and not has_embeddings:
        raise HarnessError(f"skip and only leave nothing to compress; the model has {', '.join(known)}")
    named = dict.fromkeys(groups[name] for name in left)
    return Chosen(left, has_embeddings, (*([EMBEDDINGS] if has_embeddings else []), *named))


def _wanted(group: str, options: LayerOptions) -> bool:
    return (not options.only or _any_covers(options.only, group)) and not _any_covers(options.skip, group)


def _any_covers(given: Iterable[str], group: str) -> bool:
    return any(_covers(pattern, group) for pattern in given)


def _covers(given: str, group: str) -> bool:
    """`layer.3` is all of that layer."""
    return group == given or group.startswith(f"{given}.")

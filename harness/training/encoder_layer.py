"""A layer of BERT as one function with a backward pass of its own, for training on a CPU. Imports torch: import it
inside functions.

`transformers` writes such a layer in some fifty operations, each of which autograd notes and undoes: for small models
they take as long as the arithmetic. Here one product makes queries, keys and values, heads are put apart and together
once, residuals and biases are added as part of products, and dropout is `harness.training.dropout`'s, of attention too.
Where a model reads the first position alone (`harness.modeling.inference.first_position`), its last layer computes that
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from harness.modeling.inference.first_position import reads_first_position
from harness.training.dropout import QuickDropout, drops, keep

LAYERS = frozenset({"BertLayer", "RobertaLayer", "XLMRobertaLayer", "CamembertLayer", "ElectraLayer"})
"""Layers of `transformers` that are BERT's: a norm behind each sum."""
GELU = {"GELUActivation": "none", "NewGELUActivation": "tanh", "FusedGELU": "tanh", "GELUTanh": "tanh"}
"""How torch computes an activation of `transformers`."""


Gradients = tuple[torch.Tensor | None, torch.Tensor | None]
"""Of a projection's weights and of its bias."""

MULTIPLE = 32
"""Rows of products in bf16 are a multiple of it: oneDNN makes a kernel for each number of rows."""


@dataclass(frozen=True)
class Sizes:
    """Of a call: heads, the factor of attention's scores, what is dropped of attention weights and of both sublayers'
    outputs (probabilities), both norms' ε, how GELU is computed, whether the first position alone is wanted, and what
    the products with weights are computed in; attention, sums and norms are float32.
    """

    heads: int
    scaling: float
    dropped: tuple[float, float, float]
    epsilon: tuple[float, float]
    gelu: str
    first: bool
    kind: torch.dtype


class EncoderLayer(torch.autograd.Function):
    """`apply(hidden (b, length, width), bias (b · heads, queries, length) or None, sizes, *weights)`: (b, queries,
    width), where `weights` are those of `weights_of` and queries are `length`, or the first alone. The bias is added to
    attention's scores.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, bias: torch.Tensor | None, sizes: Sizes, *weights: torch.Tensor) -> Any:
        """As above."""
        with torch.autocast("cpu", enabled=False):
            return _forward(ctx, hidden, bias, sizes, weights)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        """The gradients of the hidden states, and of all weights unless these are left alone, as where an adversary
        asks for those of embeddings.
        """
        _, *others = ctx.next_functions
        of_weights = any(node is not None and _is_wanted(node) for node, _ in others)
        with torch.autocast("cpu", enabled=False):
            return _backward(ctx, gradient, of_weights)


def _is_wanted(leaf: Any) -> bool:
    """Whether the backward pass that is under way makes the gradient of a leaf."""
    try:
        return bool(torch._C._will_engine_execute_node(leaf))
    except RuntimeError:  # torch answers so where the leaf's gradient is what `torch.autograd.grad` is asked for
        return True


def _forward(
    ctx: Any, hidden: torch.Tensor, bias: torch.Tensor | None, sizes: Sizes, weights: Sequence[torch.Tensor]
) -> torch.Tensor:
    low = [each.to(sizes.kind) for each in weights]
    wq, bq, wk, bk, wv, bv, wo, bo, _, _, w1, b1, w2, b2, _, _ = low
    g1, c1, g2, c2 = weights[8], weights[9], weights[14], weights[15]
    rows, length, width = hidden.shape
    flat = _padded(hidden.reshape(rows * length, width), sizes.kind)
    low_flat = flat.to(sizes.kind)
    if sizes.first:
        residual = _padded(hidden[:, 0].contiguous(), sizes.kind)
        start = residual.to(sizes.kind)
        (query,) = _apart(torch.addmm(bq, start, wq.t())[:rows], rows, sizes.heads, 1)
        joint, joint_bias = torch.cat((wk, wv)), torch.cat((bk, bv))
        key, value = _apart(torch.addmm(joint_bias, low_flat, joint.t())[: rows * length], rows, sizes.heads, 2)
    else:
        residual, start = flat, low_flat
        joint, joint_bias = torch.cat((wq, wk, wv)), torch.cat((bq, bk, bv))
        apart = _apart(torch.addmm(joint_bias, low_flat, joint.t())[: rows * length], rows, sizes.heads, 3)
        query, key, value = apart
    scores = _scores(query, key, bias, sizes.scaling)
    attention = torch.softmax(scores, -1)
    masks = [
        keep(shape, 1 - dropped) if drops(dropped) else None
        for dropped, shape in zip(sizes.dropped, (attention.shape, residual.shape, residual.shape), strict=True)
    ]
    used = attention if masks[0] is None else attention * masks[0]
    mixed = _rows_of(torch.bmm(used, value).view(rows, sizes.heads, -1, value.shape[-1]).transpose(1, 2), sizes.kind)
    summed = _added(residual, torch.addmm(bo, mixed, wo.t()), masks[1])
    middle, *norm1 = torch.native_layer_norm(summed, (width,), g1, c1, sizes.epsilon[0])
    low_middle = middle.to(sizes.kind)
    raised = torch.addmm(b1, low_middle, w1.t())
    active = nn.functional.gelu(raised, approximate=sizes.gelu)
    summed2 = _added(middle, torch.addmm(b2, active, w2.t()), masks[2])
    output, *norm2 = torch.native_layer_norm(summed2, (width,), g2, c2, sizes.epsilon[1])
    ctx.save_for_backward(
        low_flat, start, query, key, value, attention, used, mixed, summed, *norm1, low_middle, raised, active, summed2,
        *norm2, joint, wq, wo, g1, c1, w1, w2, g2, c2, *masks,
    )  # fmt: skip
    ctx.sizes, ctx.shape = sizes, hidden.shape
    return output[: rows * (1 if sizes.first else length)].view(rows, -1, width)


def _backward(ctx: Any, gradient: torch.Tensor, of_weights: bool) -> tuple[torch.Tensor | None, ...]:
    (
        flat, start, query, key, value, attention, used, mixed, summed, mean1, spread1, middle, raised, active, summed2,
        mean2, spread2, joint, wq, wo, g1, c1, w1, w2, g2, c2, *masks,
    ) = ctx.saved_tensors  # fmt: skip
    sizes, (rows, length, width) = ctx.sizes, ctx.shape
    wanted = (True, of_weights, of_weights)
    to_norm = torch.ops.aten.native_layer_norm_backward
    of_linear = _of_linear if of_weights else _of_none

    gradient = _padded(gradient.reshape(-1, width), sizes.kind)
    by_sum2, dg2, dc2 = to_norm(gradient, summed2, (width,), mean2, spread2, g2, c2, wanted)
    whole = _masked(by_sum2, masks[2])
    by_output = whole.to(sizes.kind)
    by_raised = torch.ops.aten.gelu_backward(by_output @ w2, raised, approximate=sizes.gelu)
    by_middle = _plus_product(by_sum2, by_raised, w1)
    (dw2, db2), (dw1, db1) = of_linear(by_output, active, whole), of_linear(by_raised, middle)

    by_sum, dg1, dc1 = to_norm(by_middle, summed, (width,), mean1, spread1, g1, c1, wanted)
    whole = _masked(by_sum, masks[1])
    by_output = whole.to(sizes.kind)
    dwo, dbo = of_linear(by_output, mixed, whole)
    (by_mixed,) = _apart((by_output @ wo)[: rows * query.shape[1]], rows, sizes.heads, 1)
    by_attention = _masked(torch.bmm(by_mixed, value.transpose(1, 2)), masks[0])
    by_scores = torch.ops.aten._softmax_backward_data(by_attention, attention, -1, torch.float32).mul_(sizes.scaling)

    size = query.shape[-1]
    count = 2 if sizes.first else 3
    parts = torch.empty(count, rows * sizes.heads, length, size)
    torch.bmm(used.transpose(1, 2), by_mixed, out=parts[-1])
    torch.bmm(by_scores.transpose(1, 2), query, out=parts[-2])
    by_query = torch.bmm(by_scores, key) if sizes.first else torch.bmm(by_scores, key, out=parts[0])
    of_all = _rows_of(parts.view(count, rows, sizes.heads, length, size).permute(1, 3, 0, 2, 4), sizes.kind)
    of_joint = _in_parts(*of_linear(of_all, flat), count)
    if sizes.first:
        of_query = _rows_of(by_query.view(rows, 1, -1), sizes.kind)
        of_joint = [of_linear(of_query, start), *of_joint]
        by_hidden = (of_all @ joint).float()[: rows * length].view(rows, length, width)
        by_hidden[:, 0] += _plus_product(by_sum, of_query, wq)[:rows]
    else:
        by_hidden = _plus_product(by_sum, of_all, joint)[: rows * length].view(rows, length, width)
    flat_joint = [each for pair in of_joint for each in pair]
    return by_hidden, None, None, *flat_joint, dwo, dbo, dg1, dc1, dw1, db1, dw2, db2, dg2, dc2


def _padded_to(count: int, kind: torch.dtype) -> int:
    """The next multiple of `MULTIPLE`; in float32, whose products need no kernel of their own for each number of rows,
    the number itself.
    """
    return count if kind == torch.float32 else -(-count // MULTIPLE) * MULTIPLE


def _padded(flat: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """(n, width) with rows of zeros behind it."""
    count = len(flat)
    if _padded_to(count, kind) == count:
        return flat
    padded = flat.new_empty(_padded_to(count, kind), flat.shape[1])
    padded[:count], padded[count:] = flat, 0
    return padded


def _apart(joint: torch.Tensor, rows: int, heads: int, count: int) -> torch.Tensor:
    """Heads side by side (b · queries, count · heads · size) as (count, b · heads, queries, size), float32."""
    size = joint.shape[-1] // (count * heads)
    apart = joint.view(rows, -1, count, heads, size).permute(2, 0, 3, 1, 4)
    return apart.to(torch.float32, memory_format=torch.contiguous_format).reshape(count, rows * heads, -1, size)


def _rows_of(apart: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """(b, queries, …) as rows (b · queries, width) of another precision, padded, in one pass."""
    count = apart.shape[0] * apart.shape[1]
    rows = apart.new_empty(_padded_to(count, kind), apart[0, 0].numel(), dtype=kind)
    rows[:count].view(apart.shape).copy_(apart)
    rows[count:] = 0
    return rows


def _scores(query: torch.Tensor, key: torch.Tensor, bias: torch.Tensor | None, scaling: float) -> torch.Tensor:
    if bias is None:
        return torch.bmm(query, key.transpose(1, 2)).mul_(scaling)
    return torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scaling)


def _added(residual: torch.Tensor, output: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """What goes around a sublayer and what comes out of it, in float32. `output` is used up."""
    dropped = output if mask is None else output.mul_(mask) if output.dtype == mask.dtype else output * mask
    return dropped.add_(residual) if dropped.dtype == residual.dtype else dropped + residual


def _masked(gradient: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    return gradient if mask is None else gradient * mask


def _plus_product(base: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """base + left @ right, in the precision of the base."""
    return torch.addmm(base, left, right) if base.dtype == left.dtype else (left @ right).add(base)


def _of_linear(gradient: torch.Tensor, inputs: torch.Tensor, whole: torch.Tensor | None = None) -> Gradients:
    """The gradients (float32) of a projection's weights and of its bias, the latter of what was not rounded yet where
    that is given.
    """
    if whole is None and gradient.dtype != torch.float32:  # torch sums such columns three times slower than a product
        of_bias = (gradient.new_ones(1, len(gradient)) @ gradient)[0].float()
    else:
        of_bias = (gradient if whole is None else whole).sum(0)
    return (gradient.t() @ inputs).float(), of_bias


def _of_none(gradient: torch.Tensor, inputs: torch.Tensor, whole: torch.Tensor | None = None) -> Gradients:
    return None, None


def _in_parts(of_weights: torch.Tensor | None, of_biases: torch.Tensor | None, count: int) -> list[Gradients]:
    """Of projections that were made by one product, the gradients of each."""
    if of_weights is None or of_biases is None:
        return [(None, None)] * count
    return list(zip(of_weights.chunk(count), of_biases.chunk(count), strict=True))


class _Biases:
    """Masks of attention as biases of its scores; that of one pass is made once for all its layers."""

    def __init__(self) -> None:
        self._mask: torch.Tensor | None = None
        self._made: dict[tuple[int, bool], torch.Tensor] = {}

    def __call__(self, mask: torch.Tensor, heads: int, first: bool) -> torch.Tensor:
        """From (b, 1 or heads, length or 1, length), true or 0 where attention may look, to (b · heads, queries,
        length).
        """
        if mask is not self._mask:
            self._mask, self._made = mask, {}
        at = heads, first
        if at not in self._made:
            part = mask[:, :, :1] if first else mask
            if part.dtype == torch.bool:
                part = (part.contiguous().view(torch.uint8).float() - 1.0).mul_(torch.finfo(torch.float32).max)
            rows, _, _, length = part.shape
            queries = 1 if first else length
            whole = part.float().expand(rows, heads, queries, length)
            self._made[at] = whole.reshape(rows * heads, queries, length)
        return self._made[at]


class _Fused:
    """The forward pass of a layer of `transformers`, as one function where gradients are wanted."""

    def __init__(self, layer: Any, first: bool, biases: _Biases) -> None:
        self._layer, self._whole, self._first, self._biases = layer, layer.forward, first, biases
        self._weights = weights_of(layer)

    def __call__(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, *rest: Any, **named: Any
    ) -> torch.Tensor:
        layer = self._layer
        attention = layer.attention.self
        asked = named.get("output_attentions") or attention._forward_hooks
        if not torch.is_grad_enabled() or asked or hidden_states.dtype != torch.float32:
            whole: torch.Tensor = self._whole(hidden_states, attention_mask, *rest, **named)
            return whole
        kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        sizes = Sizes(
            attention.num_attention_heads,
            attention.scaling,
            tuple(each.p if each.training else 0.0 for each in _dropouts(layer)),  # type: ignore[arg-type]
            (layer.attention.output.LayerNorm.eps, layer.output.LayerNorm.eps),
            GELU[type(layer.intermediate.intermediate_act_fn).__name__],
            self._first,
            kind,
        )
        bias = None
        if attention_mask is not None:
            bias = self._biases(attention_mask, sizes.heads, self._first)
        given = hidden_states, bias, sizes, *self._weights
        if layer.gradient_checkpointing and layer.training:  # what `transformers` does around the forward pass
            again: torch.Tensor = layer._gradient_checkpointing_func(EncoderLayer.apply, *given)
            return again
        output: torch.Tensor = EncoderLayer.apply(*given)
        return output


@contextmanager
def fused_layers(model: nn.Module, first: bool = False) -> Iterator[int]:
    """Within it layers of BERT and its kin are one function each where a model on a CPU is trained.

    Args:
        model: Any; of what is no such layer, or has other modules than torch's own, weights that are not trained or
            hooks within, all is as it was.
        first: Nothing is read of the model but its logits, so that the last layer of a classifier that reads the first
            position need compute no other.

    Yields:
        How many layers are so.
    """
    last = reads_first_position(model) if first else None
    biases = _Biases()
    layers = [module for module in model.modules() if _is_plain(module)]
    for layer in layers:
        layer.forward = _Fused(layer, layer is last, biases)
    try:
        yield len(layers)
    finally:
        for layer in layers:
            del layer.forward


def weights_of(layer: Any) -> list[torch.Tensor]:
    """The weights and biases of a layer: of queries, keys, values, attention's output, its norm, the feed-forward
    part's two projections and its norm.
    """
    return [weight for part in _parts(layer) for weight in (part.weight, part.bias)]


def _parts(layer: Any) -> list[Any]:
    attention, output = layer.attention.self, layer.attention.output
    return [
        attention.query, attention.key, attention.value, output.dense, output.LayerNorm, layer.intermediate.dense,
        layer.output.dense, layer.output.LayerNorm,
    ]  # fmt: skip


def _dropouts(layer: Any) -> tuple[Any, Any, Any]:
    return layer.attention.self.dropout, layer.attention.output.dropout, layer.output.dropout


def _is_plain(layer: Any) -> bool:
    """Whether a module is a layer that can be one function."""
    if type(layer).__name__ not in LAYERS or "forward" in vars(layer):
        return False
    config = layer.attention.self.config
    if layer.is_decoder or layer.chunk_size_feed_forward or config._attn_implementation not in ("sdpa", "eager"):
        return False
    if type(layer.intermediate.intermediate_act_fn).__name__ not in GELU:
        return False
    parts, dropouts = _parts(layer), _dropouts(layer)
    known = all(type(part) in (nn.Linear, nn.LayerNorm) and part.bias is not None for part in parts)
    known = known and all(type(each) in (nn.Dropout, QuickDropout) and each.p < 1 for each in dropouts)
    if not known or any(
        part._forward_hooks or part._forward_pre_hooks for part in layer.modules() if part is not layer
    ):
        return False
    return all(
        weight.requires_grad and weight.dtype == torch.float32 and weight.device.type == "cpu"
        for weight in weights_of(layer)
    )

"""Losses between the insides of a student and its teacher: hidden states and attention maps, layer by layer.

Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from harness.core.errors import HarnessError
from harness.modeling.weights.fewer_layers import evenly


class InnerLosses:
    """`hidden` · the squared distance of hidden states (Sun et al. 2019) and `attention` · that of attention maps, as
    they are after the softmax (Jiao et al. 2020 compare them before it). Student layers are mapped by `map`, else
    evenly, onto the teacher's. False where neither is asked for.
    """

    def __init__(self, options: Any) -> None:
        self.hidden, self.attention = options.hidden, options.attention
        self._map = dict(options.map)
        self.wanted: dict[str, bool] = {}
        if self.hidden:
            self.wanted["output_hidden_states"] = True
        if self.attention:
            self.wanted["output_attentions"] = True

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def check(self, teacher: PreTrainedModel, student: PreTrainedModel) -> None:
        """Make both ready for the comparison: eager attention and, in the student, no dropout inside it.

        Raises:
            HarnessError: states of different widths, or no eager attention.
        """
        if self.hidden and teacher.config.hidden_size != student.config.hidden_size:
            raise HarnessError(
                f"distill: hidden={self.hidden:g} compares hidden states, but the teacher is "
                f"{teacher.config.hidden_size} wide and the student {student.config.hidden_size}; choose a student as "
                "wide, or leave it out"
            )
        if not self.attention:
            return
        for model in (teacher, student):
            try:
                model.set_attn_implementation("eager")
            except ValueError:
                raise HarnessError(
                    f"distill: attention={self.attention:g} needs eager attention, which a {model.config.model_type} "
                    "does not have; leave it out"
                ) from None
        for module in student.modules():
            if "Attention" in type(module).__name__:
                _without_dropout(module)

    def loss(self, student: Any, teacher: Any, mask: torch.Tensor, targets: torch.Tensor | None = None) -> torch.Tensor:
        """Means over layers and an example's tokens (`mask`, (b, t)), summed over the batch.

        `targets` (b, u) are those of generative models: each example counts as often as it has some, as in their loss,
        and a decoder's own tokens are those.
        """
        total: Any = 0.0
        for states, others, maps, other_maps, stack_mask in _stacks(student, teacher, mask, targets):
            if self.hidden:
                distance = torch.stack([_hidden(*pair, stack_mask) for pair in self._pairs(states, others)]).mean(0)
                total = total + self.hidden * distance
            if self.attention:
                distance = torch.stack([self._maps(*pair, stack_mask) for pair in self._pairs(maps, other_maps)]).mean(
                    0
                )
                total = total + self.attention * distance
        return (total if targets is None else total * targets.sum(1)).sum()

    def _pairs(
        self, student: Sequence[torch.Tensor], teacher: Sequence[torch.Tensor]
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        if not student or not teacher:
            raise HarnessError(
                "distill: the model gives no hidden states or attention maps; leave hidden and attention out"
            )
        if not self._map and len(student) > len(teacher):
            raise HarnessError(
                f"distill: the student has {len(student)} layers and the teacher {len(teacher)}; say which go together "
                "(map=STUDENT:TEACHER,…)"
            )
        layer_map = self._map or dict(enumerate(evenly(len(student), len(teacher))))
        if max(layer_map) >= len(student) or max(layer_map.values()) >= len(teacher):
            raise HarnessError(
                f"distill: map goes beyond the last layers, {len(student) - 1} of the student and {len(teacher) - 1} "
                "of the teacher"
            )
        return [(student[layer], teacher[other]) for layer, other in sorted(layer_map.items())]

    def _maps(self, attention: torch.Tensor, teacher_attention: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Attention maps (b, heads, t, t): the mean squared distance over heads and pairs of an example's tokens (b,).

        Raises:
            HarnessError: the numbers of heads differ.
        """
        if attention.shape[1] != teacher_attention.shape[1]:
            raise HarnessError(
                f"distill: attention={self.attention:g} compares maps head by head, but a layer of the teacher has "
                f"{teacher_attention.shape[1]} heads and the student's {attention.shape[1]}; leave it out"
            )
        pairs = mask[:, :, None] * mask[:, None, :]
        distance = (attention.float() - teacher_attention.float()).pow(2).mean(1)
        return (distance * pairs).sum((1, 2)) / pairs.sum((1, 2))


def _stacks(student: Any, teacher: Any, mask: torch.Tensor, targets: torch.Tensor | None) -> Iterator[tuple[Any, ...]]:
    """Of each stack the hidden states after its layers and the attention maps, student's and teacher's, and the mask
    of its tokens (b, t).
    """
    encoder_decoder = "encoder_last_hidden_state" in student
    for prefix in ("encoder_", "decoder_") if encoder_decoder else ("",):
        states, maps = f"{prefix}hidden_states", f"{prefix}attentions"
        stack_mask = targets if prefix == "decoder_" else mask
        yield (
            (student.get(states) or ())[1:], (teacher.get(states) or ())[1:],
            student.get(maps) or (), teacher.get(maps) or (), stack_mask,
        )  # fmt: skip


def _hidden(states: torch.Tensor, teacher_states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Hidden states (b, t, width): the mean squared distance over width and an example's tokens (b,)."""
    distance = (states.float() - teacher_states.float()).pow(2).mean(-1)
    return (distance * mask).sum(1) / mask.sum(1)


def _without_dropout(attention: nn.Module) -> None:
    """Maps with holes in them are no maps."""
    for name, value in list(vars(attention).items()):
        if "dropout" in name and isinstance(value, float):
            setattr(attention, name, 0.0)
    for child in attention.children():
        if isinstance(child, nn.Dropout):
            child.p = 0.0

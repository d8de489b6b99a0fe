"""Greedy text of one prompt, several tokens a pass where it repeats what was read or written. Imports torch: import it
inside functions.

What followed the last few tokens where they stood before is taken for a draft (prompt lookup, Saxena 2023), and one
pass reads all of it: as far as the model would have written the draft itself, it is written. The text is that of one
token a pass, but for the rounding of products with more rows. A pass over one text costs its calls and the reading of
the weights, whatever the draft, so that summaries and answers that quote take fewer; in a batch of many texts a pass
costs its rows, and nothing would be gained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from harness.modeling.inference.decoding_inputs import Prompts, cache_name, takes
from harness.modeling.inference.decoding_rules import StepRules

SIZES = (3, 2)
"""Of the n-grams that are looked for, the longest first."""
DRAFT = 8
"""Tokens of a draft at most; the next is twice as long as one that was right, and one longer than what was right of one
that was not, so that a text which repeats nothing costs what it did.
"""
QUANTIZED = ("torch.ao", "torchao", "harness.")
"""Where modules come from that round what they are given by its range."""


class Lookup:
    """Where each n-gram of what was read and written stands last."""

    def __init__(self, read: Sequence[int]) -> None:
        self._tokens: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._before: dict[tuple[int, ...], int] = {}
        for token in read:
            self.add(token)

    def add(self, token: int) -> None:
        """The next token."""
        self._tokens.append(token)
        end = len(self._tokens)
        for size in SIZES:
            if end >= size:
                gram = tuple(self._tokens[-size:])
                if gram in self._ends:
                    self._before[gram] = self._ends[gram]
                self._ends[gram] = end

    def draft(self, most: int) -> list[int]:
        """At most so many tokens that followed the last ones where these stood before; empty where they never did."""
        for size in SIZES:
            start = self._before.get(tuple(self._tokens[-size:]))
            if start is not None:
                return self._tokens[start : start + most]
        return []


def can_look_up(model: Any) -> bool:
    """Whether a pass over several tokens gives each what it would have alone: not where the numbers of quantized
    activations depend on what is read together.
    """
    return not any(type(module).__module__.startswith(QUANTIZED) for module in model.modules())


def greedy(
    model: Any, prompts: Prompts, read: Sequence[int], ends: Sequence[int], rules: StepRules, most: int, stops: Any
) -> list[int]:
    """The text of one prompt, as the greedy loop of `harness.modeling.inference.generate` writes it.

    Args:
        model: One whose cache is of plain layers of keys and values.
        prompts: The prompt, of one row.
        read: Its tokens.
        ends: Tokens that end a text.
        rules: What may be written.
        most: Tokens at most.
        stops: Texts that end it (`Stops`), or None.

    Returns:
        The tokens, without the end.
    """
    lookup = Lookup(read if prompts.name == "input_ids" else [*read, *prompts.tokens[0].tolist()])
    state = {name: value for name, value in prompts.state.items() if name not in ("position_ids", "attention_mask")}
    if prompts.name != "input_ids":
        state["attention_mask"] = prompts.state["attention_mask"]
    positions = "position_ids" in prompts.state
    keeps = takes(model, "logits_to_keep")
    cache_of = cache_name(model)
    written: list[int] = []
    step, cache, cached, size = prompts.tokens, None, 0, DRAFT // 2
    while True:
        draft = lookup.draft(min(size, most - len(written) - 1))
        ids = torch.cat((step, step.new_tensor([draft])), 1) if draft else step
        if positions:
            state["position_ids"] = torch.arange(cached, cached + ids.shape[1], device=ids.device)[None]
        if keeps:
            state["logits_to_keep"] = len(draft) + 1
        output = model(**{prompts.name: ids, cache_of: cache}, **state, use_cache=True)
        cache = output[cache_of]
        scores = output.logits[0, -(len(draft) + 1) :]
        for place in range(len(draft) + 1):
            token = int(rules.choose(scores[place : place + 1], len(written), most))
            if token in ends:
                return written
            written.append(token)
            lookup.add(token)
            if len(written) == most or (stops is not None and stops.stand_in([written])[0]):
                return written
            if place == len(draft) or token != draft[place]:
                break
        unread = len(draft) - place
        if draft:
            size = place + 1 if unread else min(DRAFT, 2 * size)
        cached += ids.shape[1] - unread
        if unread:
            for layer in getattr(cache, "self_attention_cache", cache).layers:
                layer.crop(-unread)
        step = step.new_tensor([[token]])

"""Log-likelihoods of tokens from what a model has at their positions, and nowhere else. Imports torch: import it inside
functions.

The output layer sees the positions whose tokens are scored, many at a time, and one part of the vocabulary after the
other: no more than a block of logits is ever held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import linear

POSITIONS = {"cpu": 512, "cuda": 8192}
"""Positions that are scored at a time."""
SAMPLE = 8
"""Positions whose logits show what an output layer is."""
WORDS = {"cpu": 1024, "cuda": 16384}
"""Entries of the vocabulary that are scored at a time: with their positions, what a core's cache holds."""
NEAR = 30.0
"""Logits whose largest is no further from 0 need no shift before they are exponentials: others may be 50 above it."""


@dataclass(frozen=True)
class Reads:
    """m tokens that are scored at n positions: the position of each (m,), the token (m,), and whose it is (m,)."""

    positions: np.ndarray
    tokens: np.ndarray
    owners: np.ndarray


class OutputLayer:
    """What follows a model's last hidden states.

    Models differ in it: of most, logits are what a linear layer makes of the hidden states; some scale or cap them;
    some have none that torch can reach. Where it is linear, hidden states are collected and scored together. Which it
    is shows in the first batch.

    Args:
        model: A model that scores a vocabulary.
        counts: How many owners there are.
        with_greedy: Whether it is wanted which are the likeliest tokens.
    """

    def __init__(self, model: Any, counts: int, with_greedy: bool) -> None:
        self._layer = getattr(model, "get_output_embeddings", lambda: None)()
        self._is_linear: bool | None = None
        self.begin(counts, with_greedy)

    def begin(self, counts: int, with_greedy: bool) -> None:
        """Score for other owners, with what was learned of the model."""
        self._with_greedy = with_greedy
        self.nats, self.greedy = np.zeros(counts), np.ones(counts, dtype=bool)
        self._hidden: list[torch.Tensor] = []
        self._reads: list[Reads] = []
        self._waiting = 0

    @property
    def picks(self) -> bool:
        """Whether it can be told which positions are wanted before the model is called."""
        return self._layer is not None

    def read(self, call: Callable[[], Any], places: torch.Tensor, reads: Reads) -> Any:
        """Score tokens at some places (n,) of the flattened rows that a call reads. Returns the output of the call, of
        which there may be two.
        """
        if self._layer is None:
            output = call()
            self._score_logits(output.logits.flatten(0, 1)[places], reads)
        elif self._is_linear is None and len(places):
            output = self._learn(self._layer, call, places, reads)
        else:
            with _Picking(self._layer, places, 0 if self._is_linear else len(places)) as picked:
                output = call()
            if self._is_linear:
                self._collect(picked.hidden[0], reads)
            else:
                self._score_logits(output.logits.flatten(0, 1), reads)
        return output

    def _learn(self, layer: torch.nn.Module, call: Callable[[], Any], places: torch.Tensor, reads: Reads) -> Any:
        """Read a first batch with the logits of some of its positions, and see what they are."""
        with _Picking(layer, places, SAMPLE) as picked:
            output = call()
        if len(picked.hidden) != 1 or output.logits.shape[:-1].numel() != min(SAMPLE, len(places)):
            self._layer = None
            return self.read(call, places, reads)
        self._is_linear = (
            type(layer) is torch.nn.Linear
            and type(layer.weight) is torch.nn.Parameter
            and layer.weight.is_floating_point()
            and output.logits.shape == picked.logits[0].shape
            and torch.equal(output.logits.float(), picked.logits[0].float())
        )
        if not self._is_linear:
            return self.read(call, places, reads)
        self._collect(picked.hidden[0], reads)
        return output

    def finish(self) -> None:
        """Score what was collected."""
        if self._waiting:
            hidden = torch.cat(self._hidden)
            shifts = np.cumsum([0, *(len(part) for part in self._hidden)])
            parts = zip(self._reads, shifts, strict=False)
            positions = np.concatenate([part.positions + shift for part, shift in parts])
            tokens = np.concatenate([part.tokens for part in self._reads])
            owners = np.concatenate([part.owners for part in self._reads])
            most = POSITIONS[hidden.device.type]
            for start in range(0, len(hidden), most):
                here = (positions >= start) & (positions < start + most)
                reads = Reads(positions[here] - start, tokens[here], owners[here])
                self._add(*self._by_parts(hidden[start : start + most], reads), reads)
        self._hidden, self._reads, self._waiting = [], [], 0

    def _collect(self, hidden: torch.Tensor, reads: Reads) -> None:
        self._hidden.append(hidden)
        self._reads.append(reads)
        self._waiting += len(hidden)
        if self._waiting >= POSITIONS[hidden.device.type]:
            self.finish()

    def _by_parts(
        self, hidden: torch.Tensor, reads: Reads, shift: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-likelihoods (m,) and whether each token is the likeliest (m,), by hidden states (n, width).

        A `shift` (n, 1) is taken from all logits; without one, the largest of the first part, unless it is near 0.
        """
        layer: Any = self._layer
        device, given = hidden.device, shift is not None
        vocabulary, step = layer.weight.shape[0], WORDS[device.type]
        order = np.argsort(reads.tokens, kind="stable")
        rows = torch.from_numpy(reads.positions[order]).to(device)
        tokens = torch.from_numpy(reads.tokens[order]).to(device)
        edges = np.searchsorted(reads.tokens[order], np.arange(0, vocabulary + step, step))
        chosen = torch.empty(len(order), device=device)
        leads = torch.zeros(len(order), dtype=torch.bool, device=device)
        most = torch.full((len(hidden),), -float("inf"), device=device)
        total = torch.zeros(len(hidden), device=device)
        for number, start in enumerate(range(0, vocabulary, step)):
            bias = None if layer.bias is None else layer.bias[start : start + step]
            logits = linear(hidden, layer.weight[start : start + step], bias).float()
            highest = logits.amax(-1)
            here = slice(edges[number], edges[number + 1])
            if here.start < here.stop:
                chosen[here] = logits[rows[here], tokens[here] - start]
                if self._with_greedy:
                    leads[here] = _leads(
                        logits, torch.where(highest > most, highest, torch.inf), rows[here], tokens[here] - start
                    )
            most = torch.maximum(most, highest)
            if not start and shift is None and not float(most.abs().max()) < NEAR:
                shift = most[:, None]
            if shift is not None:
                logits = logits.sub_(shift)
            total += logits.exp_().sum(-1)
        if not given and not bool(total.isfinite().all()):
            return self._by_parts(hidden, reads, most[:, None])
        whole = total.log() if shift is None else total.log() + shift[:, 0]
        nats, greedy = torch.empty_like(chosen), torch.empty_like(leads)
        at = torch.from_numpy(order).to(device)
        nats[at], greedy[at] = chosen - whole[rows], leads & (chosen == most[rows])
        return nats, greedy

    def _score_logits(self, logits: torch.Tensor, reads: Reads) -> None:
        rows, tokens = (torch.from_numpy(part).to(logits.device) for part in (reads.positions, reads.tokens))
        logits = logits.float()
        likeliest = logits.argmax(-1) if self._with_greedy else torch.zeros_like(logits[:, 0], dtype=torch.long)
        self._add(logits[rows, tokens] - logits.logsumexp(-1)[rows], likeliest[rows] == tokens, reads)

    def _add(self, nats: torch.Tensor, greedy: torch.Tensor, reads: Reads) -> None:
        np.add.at(self.nats, reads.owners, nats.double().cpu().numpy())
        if self._with_greedy:
            np.logical_and.at(self.greedy, reads.owners, greedy.cpu().numpy())


def _leads(logits: torch.Tensor, highest: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Whether tokens (m,) are the first to have the highest logit (n,) of their rows."""
    leads: torch.Tensor = logits[rows, tokens] == highest[rows]
    equal = leads.nonzero()[:, 0]
    if len(equal):
        leads[equal] = logits[rows[equal]].argmax(-1) == tokens[equal]
    return leads


class _Picking:
    """While it is open, the hidden states of some places are kept, and the output layer sees the first `most` of them
    alone.
    """

    def __init__(self, layer: torch.nn.Module, places: torch.Tensor, most: int) -> None:
        self._layer, self._places, self._most = layer, places, most
        self.hidden: list[torch.Tensor] = []
        self.logits: list[torch.Tensor] = []

    def __enter__(self) -> _Picking:
        before = self._layer.register_forward_pre_hook(self._pick)
        self._hooks = (before, self._layer.register_forward_hook(self._note))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _pick(self, module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if inputs[0].dim() != 3:
            return inputs
        hidden = inputs[0].flatten(0, 1)[self._places]
        self.hidden.append(hidden)
        return (hidden[None, : self._most], *inputs[1:])

    def _note(self, module: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        self.logits.append(output)

"""The forward passes of a plan (`token_tree`): kept prefixes, and rows of a batch that can branch.

Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness.modeling.inference.batching import packed_batches, scoring_batches
from harness.modeling.inference.decoding_inputs import cache_name, takes
from harness.modeling.inference.key_values import cache_of, is_plain, pairs_of
from harness.modeling.inference.output_layer import OutputLayer, Reads
from harness.modeling.inference.token_tree import Prefix, Row, Segment, Sharing

TOKENS = {"cpu": 1024, "cuda": 32768}
"""Padded tokens of a batch."""
KEPT = 16
"""So many kept tokens take as much of a batch as a token that is read."""


@dataclass(frozen=True)
class Target:
    """Tokens to be scored: whose they are, and the position in the sequence from which the first is predicted."""

    owner: int
    start: int
    tokens: np.ndarray


@dataclass
class TreePasses:
    """What the passes of all plans of a model's sequences have in common.

    Attributes:
        model: A causal model.
        sequences: Token ids, in order.
        targets: Those of each sequence.
        sharing: What the model shares.
        output: Scores the targets.
    """

    model: Any
    sequences: Sequence[np.ndarray]
    targets: Sequence[Sequence[Target]]
    sharing: Sharing
    output: OutputLayer

    def run(self, plan: Prefix, report: Callable[[float], None] = lambda fraction: None) -> None:
        """Read everything, each prefix before what follows it; a prefix is dropped as soon as nothing more follows.

        Scores are there when the output layer has finished.
        """
        total, done = max(1, plan.tokens), 0
        waiting: list[tuple[Prefix, list[torch.Tensor]]] = [(plan, [])]
        while waiting:
            prefix, before = waiting.pop()
            pairs: list[torch.Tensor] = []
            if prefix.depth:
                output = self._read([Row((prefix.segment,))], before, keeps=True)
                done += len(prefix.segment)
                pairs = self._kept(output)
            waiting += [(inner, pairs) for inner in prefix.prefixes]
            for rows in self._batches(prefix):
                self._read(rows, pairs, keeps=False)
                done += sum(map(len, rows))
                report(done / total)

    def _batches(self, prefix: Prefix) -> Iterator[list[Row]]:
        """The rows that follow a prefix; where they may branch, several in one if they are short."""
        lengths, budget = list(map(len, prefix.rows)), TOKENS[self.model.device.type]
        if self.sharing == Sharing.TREES:
            for batch in packed_batches(lengths, budget, prefix.depth / KEPT):
                yield [Row.of([prefix.rows[index] for index in indices]) for indices in batch]
        else:
            for indices in scoring_batches([max(length, prefix.depth // KEPT) for length in lengths], budget):
                yield [prefix.rows[index] for index in indices]

    def _kept(self, output: Any) -> list[torch.Tensor]:
        cache = output[cache_name(self.model)]
        if not is_plain(cache):
            raise TypeError(f"{type(self.model).__name__} keeps more than keys and values")
        return pairs_of(cache)

    def _read(self, rows: Sequence[Row], pairs: list[torch.Tensor], keeps: bool) -> Any:
        """The model's output for rows after the keys and values of what is before them all."""
        model, length = self.model, max(map(len, rows))
        inputs = self._inputs(rows, length, pairs[0].shape[2] if pairs else 0)
        places, reads = self._reads(rows, length)
        if not self.output.picks and takes(model, "logits_to_keep"):
            skipped = min((int(place) % length for place in places), default=length - 1)
            inputs["logits_to_keep"] = length - skipped
            places = places - skipped - places // length * skipped

        def call() -> Any:
            cache = {cache_name(model): cache_of(pairs, len(rows))} if pairs or keeps else {}
            return model(**inputs, **cache, use_cache=bool(cache))

        return self.output.read(call, torch.from_numpy(places).to(model.device), reads)

    def _inputs(self, rows: Sequence[Row], length: int, depth: int) -> dict[str, Any]:
        ids = np.zeros((len(rows), length), dtype=np.int64)
        positions = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row.tokens(self.sequences)
            positions[number, : len(row)] = row.positions()
        inputs: dict[str, Any] = {"input_ids": torch.from_numpy(ids)}
        branches = any(len(row.segments) > 1 for row in rows)
        if depth or branches:
            inputs["position_ids"] = torch.from_numpy(positions)
            if self.sharing == Sharing.TREES:
                allowed = self._allowed(rows, length, depth)
                least = torch.finfo(self.model.dtype).min
                inputs["attention_mask"] = torch.where(allowed, 0.0, least).to(self.model.dtype)
            else:
                inputs["attention_mask"] = torch.ones(len(rows), depth + length, dtype=torch.long)
                if not takes(self.model, "position_ids"):
                    del inputs["position_ids"]
        return {name: tensor.to(self.model.device) for name, tensor in inputs.items()}

    def _allowed(self, rows: Sequence[Row], length: int, depth: int) -> torch.Tensor:
        """Whether a token of a row attends to another (rows, 1, length, depth + length): to what is kept, and to what
        is before it in its sequence. Padding attends to padding, since it must to something.
        """
        numbers = np.full((len(rows), length), length)
        ends = numbers + 1
        for place, row in enumerate(rows):
            numbers[place, : len(row)], ends[place, : len(row)] = row.branches()
        later, first = (torch.from_numpy(part).to(self.model.device) for part in (numbers, ends))
        seen = (later[:, None, :, None] < first[:, None, None, :]).tril_()
        return torch.nn.functional.pad(seen, (depth, 0), value=True)

    def _reads(self, rows: Sequence[Row], length: int) -> tuple[np.ndarray, Reads]:
        """The places of the flattened batch that are read, in order, and what is read there."""
        places, tokens, owners = [], [], []
        for number, row in enumerate(rows):
            for part, offset in zip(row.segments, row.offsets, strict=True):
                for first, target in self._targets(part):
                    after = target.tokens[first - target.start : part.end - target.start]
                    places.append(number * length + offset + first - part.begin + np.arange(len(after)))
                    tokens.append(after)
                    owners.append(np.full(len(after), target.owner))
        if not places:
            none = np.zeros(0, dtype=np.int64)
            return none, Reads(none, none, none)
        distinct, positions = np.unique(np.concatenate(places), return_inverse=True)
        return distinct, Reads(positions, np.concatenate(tokens), np.concatenate(owners))

    def _targets(self, part: Segment) -> list[tuple[int, Target]]:
        """The targets that are predicted within a segment, each with its first position there."""
        targets = [target for place in range(part.first, part.last) for target in self.targets[place]]
        starts = [(max(part.begin, target.start), target) for target in targets]
        return [(first, target) for first, target in starts if first < min(part.end, target.start + len(target.tokens))]

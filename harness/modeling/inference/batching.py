"""Batches of like lengths under a token budget, and their padding."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.token_rows import TokenRows

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a position that is not predicted, as in `transformers`."""

LENGTH_JITTER = 0.05
"""Each epoch sorts by length × (1 ± this), so that neighbours in length meet in new batches every time."""

PASS = 64
"""Tokens that are read in the time that one more forward pass takes."""
UNLIKE = 4
"""What is so many times as short as the longest of a batch waits for the next: in a row with others, its tokens compare
themselves with theirs for nothing.
"""


@dataclass(frozen=True)
class TokenizedDataset:
    """n training examples (windows, where an example has several).

    `columns` maps input names to n unpadded rows of token ids, or to n numbers. `lengths` (n,) is how much of a batch
    each takes, in tokens. `truncated` counts examples that were cut. Where each epoch has other examples, `epochs` says
    how many belong to each, in order.
    """

    columns: Mapping[str, Sequence[Any]]
    lengths: Sequence[int]
    truncated: int = 0
    epochs: tuple[int, ...] = ()

    @property
    def in_epoch(self) -> int:
        """How many there are in an epoch."""
        return self.epochs[0] if self.epochs else len(self)

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Those of some examples."""
        return [{name: column[index] for name, column in self.columns.items()} for index in indices]


def one_after_the_other(epochs: Sequence[TokenizedDataset]) -> TokenizedDataset:
    """The examples of several epochs as one dataset; what was cut is that of the first."""

    def joined(columns: list[Any]) -> Sequence[Any]:
        flat = [column for column in columns if isinstance(column, TokenRows)]
        return TokenRows.joined(flat) if len(flat) == len(columns) else [row for column in columns for row in column]

    return TokenizedDataset(
        {name: joined([part.columns[name] for part in epochs]) for name in epochs[0].columns},
        [length for part in epochs for length in part.lengths],
        epochs[0].truncated,
        tuple(map(len, epochs)),
    )


@dataclass(frozen=True)
class DataCollator:
    """Fill values of the model's inputs, and the multiple that padded lengths are rounded up to."""

    values: Mapping[str, int]
    multiple: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, device: torch.device) -> DataCollator:
        pad_id = tokenizer.pad_token_id
        if not isinstance(pad_id, int):
            raise HarnessError("the tokenizer has no padding and no end of text; give it a pad_token and save it again")
        fills = {"input_ids": pad_id, "attention_mask": 0, "token_type_ids": tokenizer.pad_token_type_id}
        names = [name for name in tokenizer.model_input_names if name in fills]
        return cls({name: fills[name] for name in names}, 8 if device.type == "cuda" else 1)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows of token ids as padded tensors (b, length), numbers as tensors (b,)."""
        import torch

        numbers = [name for name, value in rows[0].items() if isinstance(value, int | float)]
        fills = {name: fill for name, fill in {**self.values, "labels": IGNORED}.items() if name in rows[0]}
        batch = pad(rows, {name: fill for name, fill in fills.items() if name not in numbers}, self.multiple)
        return batch | {name: torch.tensor([row[name] for row in rows]) for name in numbers}


class TokenBudgetBatchSampler:
    """A batch sampler for training: each epoch every example once, in batches of like length and equal token count.

    Yields lists of indices. Every epoch has exactly ceil(n / batch_size) batches, so that the optimizer takes as many
    steps as with batches of `batch_size` random examples; what is equal between batches is the number of tokens, not
    of examples. Batches come in random order. Deterministic in (seed, epoch); an epoch is one pass of `iter`, or
    `set_epoch` sets it. `epochs` are the numbers of examples that belong to each epoch, where they are others in each;
    then each has as many batches as the first.
    """

    def __init__(
        self, lengths: Sequence[int], batch_size: int, seed: int, multiple_of: int = 1, epochs: Sequence[int] = ()
    ) -> None:
        import numpy as np

        self.lengths = np.asarray(lengths, dtype=np.float64)
        self.ends = np.cumsum(epochs or [len(lengths)]).tolist()
        self.batch_size = batch_size
        self.multiple_of = multiple_of
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        batches = math.ceil(self.ends[0] / self.batch_size)
        rounded = math.ceil(batches / self.multiple_of) * self.multiple_of
        return rounded if rounded <= self.ends[0] else batches

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        import numpy as np

        random = np.random.default_rng([self.seed, self.epoch])
        part = min(self.epoch, len(self.ends) - 1)
        self.epoch += 1
        start = self.ends[part - 1] if part else 0
        lengths = self.lengths[start : self.ends[part]]
        order = np.argsort(lengths * random.uniform(1 - LENGTH_JITTER, 1 + LENGTH_JITTER, len(lengths)), kind="stable")
        batches = np.split(start + order, _equal_cuts(lengths[order], len(self)))
        for index in random.permutation(len(batches)):
            yield batches[index].tolist()


def _equal_cuts(lengths: np.ndarray, parts: int) -> np.ndarray:
    """Positions that cut `lengths` into `parts` runs of about equal sum, none of them empty."""
    import numpy as np

    reached = np.cumsum(lengths)
    wanted = reached[-1] * np.arange(1, parts) / parts
    cuts = np.searchsorted(reached, wanted, side="left") + 1
    steps = np.arange(parts - 1)
    cuts = np.maximum.accumulate(cuts - steps) + steps
    return np.minimum(cuts, len(lengths) - parts + 1 + steps)


def scoring_batches(lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Indices in order of length, longest first, cut so that no padded batch holds more than `token_budget` tokens.

    Longest first: if memory does not suffice, the first batch says so.
    """
    import numpy as np

    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, token_budget // max(1, int(lengths[order[start]])))
        yield order[start : start + size].tolist()
        start += size


def packed_batches(lengths: Sequence[int], token_budget: int, kept: float = 0) -> Iterator[list[list[int]]]:
    """Indices, longest first, in batches of rows that hold one or several of a like length each, so that little is
    padded: another batch begins where padding would cost more.

    Args:
        lengths: Of what is packed.
        token_budget: The most padded tokens of a batch.
        kept: What a row takes of it at least.
    """
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], -index))
    sizes = [lengths[index] for index in order]
    while order:
        longest, padding = sizes[-1], 0
        rows: list[list[int]] = []
        for _ in range(max(1, int(token_budget // max(1, longest, kept)))):
            row, room = [], longest
            while (at := bisect_right(sizes, room)) and sizes[at - 1] * UNLIKE >= longest:
                room -= sizes.pop(at - 1)
                row.append(order.pop(at - 1))
            padding += room
            if padding > PASS or not row:
                for index in row:
                    at = bisect_right(sizes, lengths[index])
                    sizes.insert(at, lengths[index])
                    order.insert(at, index)
                break
            rows.append(row)
        yield rows


def pad(
    rows: Sequence[Mapping[str, Sequence[int]]], padding: Mapping[str, int], multiple: int = 1
) -> dict[str, torch.Tensor]:
    """Right-pad rows of token ids to the longest of their name: `{input name: (b, length) int64}`.

    `padding` gives the fill value by input name; `multiple` rounds the length up (8 suits tensor cores).
    """
    import numpy as np
    import torch

    batch: dict[str, Any] = {}
    for name, fill in padding.items():
        length = math.ceil(max(len(row[name]) for row in rows) / multiple) * multiple
        filled = np.full((len(rows), length), fill, dtype=np.int64)
        for index, row in enumerate(rows):
            values = row[name]
            filled[index, : len(values)] = values
        batch[name] = torch.from_numpy(filled)
    return batch

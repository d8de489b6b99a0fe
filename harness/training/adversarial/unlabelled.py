"""Batches of texts without labels, beside those that have some. Imports torch: import it inside functions."""

from __future__ import annotations

import numpy as np
import torch

from harness.modeling.inference.batching import DataCollator, TokenizedDataset

SEED = 6
"""Beside the training's own, of the order of texts."""


class UnlabelledBatches:
    """As many texts a step as examples in a batch on average, in a new random order each time all were seen."""

    def __init__(
        self, encoded: TokenizedDataset, padding: DataCollator, batch_size: int, seed: int, device: torch.device
    ) -> None:
        self._encoded, self._padding, self._seed, self._device = encoded, padding, seed, device
        self._size = min(batch_size, len(encoded))

    def at(self, step: int, part: tuple[int, int]) -> dict[str, torch.Tensor]:
        """Those of a step; of the numbers of `part`, the first and how far the next are apart."""
        first, stride = part
        places = [step * self._size + place for place in range(first, max(self._size, first + 1), stride)]
        batch = self._padding(self._encoded.rows([self._row(place) for place in places]))
        return {name: tensor.to(self._device) for name, tensor in batch.items()}

    def _row(self, place: int) -> int:
        round_number, place_in_round = divmod(place, len(self._encoded))
        if getattr(self, "_round", None) != round_number:
            random = np.random.default_rng([SEED, self._seed, round_number])
            self._round, self._order = round_number, random.permutation(len(self._encoded))
        return int(self._order[place_in_round])

"""How alike two representations of the same inputs are, summed up while they are computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class RepresentationSimilarity:
    """Two representations of the same inputs, fed in pieces (rows, d) and (rows, e); d and e may differ."""

    def __init__(self) -> None:
        self.n = 0
        self._sums: list[np.ndarray] = []
        self._products: list[np.ndarray] = []
        self._squared_error: float | None = 0.0

    def add(self, base: np.ndarray, candidate: np.ndarray) -> None:
        import numpy as np

        x, y = base.astype(np.float64), candidate.astype(np.float64)
        sums, products = [x.sum(axis=0), y.sum(axis=0)], [x.T @ x, y.T @ y, y.T @ x]
        self._sums = [a + b for a, b in zip(self._sums, sums, strict=True)] if self.n else sums
        self._products = [a + b for a, b in zip(self._products, products, strict=True)] if self.n else products
        if x.shape == y.shape and self._squared_error is not None:
            self._squared_error += float(((y - x) ** 2).sum())
        else:
            self._squared_error = None
        self.n += len(x)

    def cka(self) -> float | None:
        """Linear centred kernel alignment (Kornblith et al. 2019, equation 5): ‖YᵀX‖² / (‖XᵀX‖ ‖YᵀY‖) of centred
        features, 1 where one is a rotation and scaling of the other; None where one of them is constant.
        """
        import numpy as np

        mean_x, mean_y = (total / self.n for total in self._sums)
        xx, yy, yx = self._products
        xx = xx - self.n * np.outer(mean_x, mean_x)
        yy = yy - self.n * np.outer(mean_y, mean_y)
        yx = yx - self.n * np.outer(mean_y, mean_x)
        scale = float(np.linalg.norm(xx) * np.linalg.norm(yy))
        return float(np.linalg.norm(yx) ** 2) / scale if scale > 0 else None

    def normalized_mse(self) -> float | None:
        """‖Y − X‖² over ‖X − mean‖²: 0 for equal ones, 1 for what tells no more of X than its mean does. None where the
        widths differ, or X is constant.
        """
        if self._squared_error is None:
            return None
        spread = float(self._products[0].trace() - (self._sums[0] ** 2).sum() / self.n)
        return self._squared_error / spread if spread > 0 and math.isfinite(spread) else None

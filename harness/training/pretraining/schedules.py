"""Learning rates over a pretraining, as fractions of the peak."""

from __future__ import annotations

import math


def rate(schedule: str, step: float, steps: int, warmup_ratio: float, decay_ratio: float) -> float:
    """The fraction of the peak learning rate at `step` (0-based, a fraction where a schedule is stretched) of `steps`.

    Linear warm-up in all. `wsd` (warmup–stable–decay; Hu et al. 2024) then holds, and falls to 0 over the last
    `decay_ratio` as 1 − √progress (Hägele et al. 2024); `linear` and `cosine` fall to 0 from the warm-up on.
    """
    warmup = math.ceil(warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    if schedule == "wsd":
        decay = max(1, math.ceil(decay_ratio * steps))
        done = (step + 1 - (steps - decay)) / (decay + 1)
        return 1.0 if decay_ratio == 0 or done <= 0 else 1 - math.sqrt(done)
    done = (step - warmup) / max(1, steps - warmup)
    return 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2

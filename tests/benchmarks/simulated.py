"""A simulated machine: timings with launch effects, drift, autocorrelation and spikes, known to the last digit."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from harness.measurement.series import SECOND


@dataclass(frozen=True)
class Noise:
    """Log-scale standard deviations: of a process against others of its kind, of the slow drift that bursts share
    (autocorrelated from one burst to the next), of single calls. `trend` is a steady slowing a burst. A spike hits a
    burst, or a single call, and multiplies it by 1 + an exponential of the mean `spike`. For a share `contended` of the
    time a neighbour on the same core makes everything take `contention` times as long, some `stay` bursts at a stretch.
    """

    launch: float = 0.005
    drift: float = 0.05
    autocorrelation: float = 0.97
    trend: float = 0.0003
    call: float = 0.015
    spiked_visits: float = 0.03
    spiked_calls: float = 0.05
    spike: float = 0.5
    contended: float = 0.0
    contention: float = 2.0
    stay: float = 4.0


class SimulatedBench:
    """A runner of the protocol. `factors` are the true times of variants relative to the original's."""

    def __init__(self, factors: Mapping[str, float], noise: Noise, seed: int, calls: int = 2) -> None:
        self.factors = {"base": 1.0, SECOND: 1.0, **factors}
        self.noise = noise
        self.random = np.random.default_rng([seed, 1])  # not the stream that draws the bootstrap
        self.calls = calls
        self.drift = self.random.normal(0, noise.drift)
        self.bursts = 0
        self.busy = noise.contended > 0 and self.random.random() < noise.contended
        self.layout: dict[str, float] = {}

    def launch(self, number: int, variants: Collection[str] = ()) -> None:
        self.layout = {variant: self.random.normal(0, self.noise.launch) for variant in self.factors}
        for _ in range(20):  # time goes by while processes start
            self._drift()

    def burst(self, variant: str, cell: str) -> tuple[dict[str, list[float]], None]:
        noise = self.noise
        self._drift()
        level = math.log(0.02 * self.factors[variant]) + self.layout[variant] + self.drift + noise.trend * self.bursts
        if self.random.random() < noise.spiked_visits:
            level += math.log1p(self.random.exponential(noise.spike))
        level += math.log(noise.contention) * self.busy
        times = level + self.random.normal(0, noise.call, self.calls)
        spiked = self.random.random(self.calls) < noise.spiked_calls
        times += np.where(spiked, np.log1p(self.random.exponential(noise.spike, self.calls)), 0)
        return {"forward": np.exp(times).tolist()}, None

    def _drift(self) -> None:
        keep = self.noise.autocorrelation
        self.drift = keep * self.drift + self.random.normal(0, self.noise.drift * math.sqrt(1 - keep**2))
        self.bursts += 1
        if self.noise.contended and self.random.random() < 1 / self.noise.stay:
            self.busy = self.random.random() < self.noise.contended

"""fp8 by torchao for GPUs (E4M3 of Micikevicius et al. 2022): weights with a scale for each output channel;
activations left float, or turned into fp8 as they come, with a scale for each token.
"""

from __future__ import annotations

from typing import Any

from harness.compression.by_torchao import Products
from harness.modeling.runtimes.torchao import require_capability

KERNELS = (8, 9)
"""The first compute capability of CUDA with products in fp8 (Ada; Hopper is 9.0)."""


class Fp8Torchao(Products):
    kind = "fp8"

    def config(self) -> Any:
        if self.dynamic:
            require_capability(KERNELS, "fp8-torchao:dynamic", "fp8-torchao:float keeps the activations float")
        from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, Float8WeightOnlyConfig, PerRow

        return (
            Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
            if self.dynamic
            else Float8WeightOnlyConfig()
        )


COMPRESSOR = Fp8Torchao

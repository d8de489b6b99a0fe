"""fp8 by torchao for GPUs (E4M3 of Micikevicius et al. 2022): weights with a scale for each output channel;
activations left float, or turned into fp8 as they come, with a scale for each token.
"""

from __future__ import annotations

from typing import Any, Literal

from harness.compress.base import Compressor, Request
from harness.runtimes.torchao import require, require_capability
from harness.strict_spec import Strict

KERNELS = (8, 9)
"""The first compute capability of CUDA with products in fp8 (Ada; Hopper is 9.0)."""


class Fp8Torchao(Compressor):
    """`activations`: `dynamic` multiplies in fp8, `float` turns the weights back into floats first."""

    main = "activations"
    runtime = "torchao"

    class Options(Strict):
        activations: Literal["dynamic", "float"] = "dynamic"

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        dynamic = self.options.activations == "dynamic"
        if dynamic:
            require_capability(KERNELS, "fp8-torchao:dynamic", "fp8-torchao:float keeps the activations float")
        from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, Float8WeightOnlyConfig, PerRow

        from harness.compress.by_torchao import quantize

        config = (
            Float8DynamicActivationFloat8WeightConfig(granularity=PerRow()) if dynamic else Float8WeightOnlyConfig()
        )
        return quantize(request, "fp8-torchao", "fp8", config)


COMPRESSOR = Fp8Torchao

"""int8 by torchao for GPUs: weights as int8 with a scale for each output channel; activations quantized as they come,
with a scale for each token, or left float.
"""

from __future__ import annotations

from typing import Any, Literal

from harness.compress.base import Compressor, Request
from harness.runtimes.torchao import require
from harness.strict_spec import Strict


class Int8Torchao(Compressor):
    """`activations`: `dynamic` multiplies in integers, `float` turns the weights back into floats first."""

    main = "activations"
    runtime = "torchao"

    class Options(Strict):
        activations: Literal["dynamic", "float"] = "dynamic"

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig

        from harness.compress.by_torchao import quantize

        dynamic = self.options.activations == "dynamic"
        config = Int8DynamicActivationInt8WeightConfig() if dynamic else Int8WeightOnlyConfig()
        return quantize(request, "int8-torchao", "int8", config)


COMPRESSOR = Int8Torchao

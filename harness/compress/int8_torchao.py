"""int8 by torchao for GPUs: weights as int8 with a scale for each output channel; activations quantized as they come,
with a scale for each token, or left float.
"""

from __future__ import annotations

from typing import Any

from harness.compress.base import Request
from harness.compress.by_torchao import ByTorchao, quantize
from harness.runtimes.torchao import require


class Int8Torchao(ByTorchao):
    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig

        config = Int8DynamicActivationInt8WeightConfig() if self.dynamic else Int8WeightOnlyConfig()
        return quantize(request, "int8-torchao", "int8", config)


COMPRESSOR = Int8Torchao

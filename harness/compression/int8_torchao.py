"""int8 by torchao for GPUs: weights as int8 with a scale for each output channel; activations quantized as they come,
with a scale for each token, or left float.
"""

from __future__ import annotations

from typing import Any

from harness.compression.by_torchao import Products


class Int8Torchao(Products):
    kind = "int8"

    def config(self) -> Any:
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig

        return Int8DynamicActivationInt8WeightConfig() if self.dynamic else Int8WeightOnlyConfig()


COMPRESSOR = Int8Torchao

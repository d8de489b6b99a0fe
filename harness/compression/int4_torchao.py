"""int4 by torchao for GPUs: weights as int4 with a scale and a zero point for each group of inputs, packed as torch's
own kernel (tinygemm) reads them; products are in bfloat16.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from harness.compression.by_torchao import ByTorchao
from harness.core.strict_spec import Strict


def _number(value: Any) -> Any:
    """Numbers come as text from a command line."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Int4Torchao(ByTorchao):
    """`group_size` inputs in a row of a weight share a scale."""

    main = "group_size"
    kind = "int4"

    class Options(Strict):
        group_size: Annotated[Literal[32, 64, 128, 256], BeforeValidator(_number)] = 128

    def config(self) -> Any:
        from torchao.quantization import Int4WeightOnlyConfig

        return Int4WeightOnlyConfig(group_size=self.options.group_size, int4_packing_format="tile_packed_to_4d")


COMPRESSOR = Int4Torchao

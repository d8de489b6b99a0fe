"""The same weights, as torch runs them, compiled: `torch.compile` (inductor), which fuses operations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from harness.compression.base import Compressor, Request, Target
from harness.compression.saving import moved
from harness.core.errors import HarnessError
from harness.core.strict_spec import Strict
from harness.modeling.runtimes.base import OUTPUTS
from harness.modeling.runtimes.torch_compile import require
from harness.modeling.weights.settings import Compiling, read_settings


class Compile(Compressor):
    """The folder is copied; the first call compiles: half a minute, less where torch has it in its cache, or with
    `regional`, which compiles the blocks of which a model has many once. `mode` is that of `torch.compile`:
    `reduce-overhead` replays what it has launched on a GPU once for each shape of a batch (CUDA graphs).
    """

    main = "mode"

    class Options(Strict):
        mode: Literal["default", "reduce-overhead"] = "default"
        regional: bool = False

        @model_validator(mode="after")
        def _one_graph(self) -> Compile.Options:
            if self.regional and self.mode != "default":
                raise ValueError(f"regional goes with the mode default, not {self.mode}; put cuda-graphs behind it")
            return self

    runtime = "torch-compile"
    reads = ("bf16", "fp8-torchao", "int4-torchao", "int8-torchao", "semi-structured")

    def not_applicable(self, target: Target) -> str | None:
        if target.head not in OUTPUTS:
            return f"compile serves models that answer in one pass, not yet the head {target.head}"
        return None

    def compress(self, request: Request) -> dict[str, Any]:
        reason = self.not_applicable(Target("", read_settings(request.source).head))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        require()
        how = Compiling(inner=read_settings(request.source).runtime, **self.options.model_dump())
        moved(request.source, request.target, self.runtime, compiling=how)
        return {"notes": ["The weights stay as they are; the first call compiles, which takes half a minute."]}


COMPRESSOR = Compile

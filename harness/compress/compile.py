"""The same weights in another runtime: `torch.compile` (inductor), which fuses operations and compiles them."""

from __future__ import annotations

from typing import Any

from harness.compress.base import Compressor, Request, Target
from harness.errors import HarnessError
from harness.runtimes.base import OUTPUTS


class Compile(Compressor):
    """The folder is copied; the first call compiles: half a minute, less where torch has it in its cache."""

    runtime = "torch-compile"

    def not_applicable(self, target: Target) -> str | None:
        if target.head not in OUTPUTS:
            return f"compile serves models that answer in one pass, not yet the head {target.head}"
        return None

    def compress(self, request: Request) -> dict[str, Any]:
        from harness.compress.saving import moved
        from harness.runtimes.settings import read_settings
        from harness.runtimes.torch_compile import require

        reason = self.not_applicable(Target("", read_settings(request.source).head))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        require()
        moved(request.source, request.target, self.runtime)
        return {"notes": ["The weights stay as they are; the first call compiles, which takes half a minute."]}


COMPRESSOR = Compile

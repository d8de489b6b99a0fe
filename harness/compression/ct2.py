"""Generative models for CTranslate2 on the CPU, in floats or in int8."""

from __future__ import annotations

from typing import Any, Literal

from harness.compression.base import Compressor, Request, Target
from harness.core.lazy import lazy
from harness.core.strict_spec import Strict
from harness.modeling.runtimes.base import WRITING_HEADS
from harness.modeling.runtimes.ctranslate2_runtime import require

ct2_conversion = lazy("harness.compression.ct2_conversion")

SERVED = (
    "bart", "bloom", "codegen", "falcon", "gemma", "gpt2", "gpt_bigcode", "gptj", "llama", "marian", "mistral", "opt",
    "pegasus", "qwen2", "qwen3", "t5",
)  # fmt: skip
"""The architectures that are converted and compute the same afterwards; each model is compared with its original."""


class Ct2(Compressor):
    """The model in a format and a runtime of its own, which decodes greedily, by beams and by sampling. `type` is what
    weights are stored as: `int8` with a scale for each output; `float16`, `bfloat16` and `int16` where the CPU can
    compute in them.
    """

    main = "type"
    runtime = "ctranslate2"

    class Options(Strict):
        type: Literal["float32", "int8", "int16", "float16", "bfloat16"] = "float32"

    def not_applicable(self, target: Target) -> str | None:
        if target.head not in WRITING_HEADS:
            return f"ct2 serves models that write text, not the head {target.head}"
        if target.model_type not in SERVED:
            return f"ct2 does not convert the architecture {target.model_type}; it converts {', '.join(SERVED)}"
        return None

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        facts: dict[str, Any] = ct2_conversion.converted(request, self.options.type)
        return facts


COMPRESSOR = Ct2

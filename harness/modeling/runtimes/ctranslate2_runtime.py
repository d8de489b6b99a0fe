"""CTranslate2 on the CPU: generative models that decode by themselves."""

from __future__ import annotations

from pathlib import Path

from harness.core.lazy import lazy
from harness.core.packages import require_packages
from harness.modeling.runtimes.base import Runtime, RuntimeModel
from harness.modeling.weights.settings import Settings

ct2_writer = lazy("harness.modeling.runtimes.ct2_writer")


def require() -> None:
    """Raises HarnessError, with the remedy, where CTranslate2 is not installed."""
    require_packages("ctranslate2", extra="ct2")


class CTranslate2(Runtime):
    packages = ("ctranslate2",)

    def open(self, folder: Path, settings: Settings, threads: int) -> RuntimeModel:
        require()
        model: RuntimeModel = ct2_writer.open_writer(folder, settings, threads)
        return model


RUNTIME = CTranslate2()

"""Runtimes: what a saved model is served by. One module each; a model's folder names its own."""

from __future__ import annotations

import inspect
from pathlib import Path

from harness.core import plugins
from harness.core.plugins import Plugins
from harness.modeling.runtimes.base import Runtime, RuntimeModel
from harness.modeling.runtimes.settings import Settings, read_settings

RUNTIMES: Plugins[Runtime] = plugins.table("runtime")


def register(name: str, runtime: Runtime) -> Runtime:
    """Add a runtime from outside: a compressor's settings name it. Raises HarnessError where the name is taken."""
    return RUNTIMES.register(name, runtime, source=Path(inspect.getsourcefile(type(runtime)) or ""))


def open_model(folder: Path | str, threads: int = 1) -> RuntimeModel:
    """Load a model folder in the runtime its `harness.json` names (`torch` where it names none).

    Raises:
        HarnessError: no model there, an unknown runtime, or one whose package is not installed.
    """
    folder = Path(folder)
    settings = read_settings(folder)
    return RUNTIMES.get(settings.runtime, f"{folder}/harness.json").open(folder, settings, threads)


def devices_of(settings: Settings) -> tuple[str, ...]:
    """What a model can be served on, `cpu`, `cuda` or both. Raises HarnessError for an unknown runtime."""
    served = [RUNTIMES.get(name).devices for name in settings.runtimes]
    return tuple(device for device in ("cpu", "cuda") if all(device in one for one in served))


__all__ = ["RUNTIMES", "Runtime", "RuntimeModel", "Settings", "devices_of", "open_model", "read_settings", "register"]

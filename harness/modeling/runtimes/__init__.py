"""Runtimes: what a saved model is served by. One module each; a model's folder names its own."""

from harness.modeling.runtimes.base import RUNTIMES, Runtime, RuntimeModel, devices_of, open_model
from harness.modeling.weights.settings import Settings, read_settings

__all__ = ["RUNTIMES", "Runtime", "RuntimeModel", "Settings", "devices_of", "open_model", "read_settings"]

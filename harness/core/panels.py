"""The groups of options that `--help` shows."""

from __future__ import annotations

WHAT, MODELS, TRAINING, COMPRESSION, MEASURING, WHERE, OUTPUT = (
    "What", "Models", "Training", "Compression", "Measuring", "Where", "Output",
)  # fmt: skip
"""The panels of `--help`."""

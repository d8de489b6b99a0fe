"""What `harness augment` is asked for."""

from __future__ import annotations

from pathlib import Path

from harness.core.panels import OUTPUT, WHAT
from harness.core.source_names import SYNTHETIC
from harness.core.strict_spec import Strict, setting


class AugmentSettings(Strict):
    """Which examples are augmented, and how.

    Attributes:
        model: A model spec that has `augment` in its training.
        operations: A preset, or a YAML file with the keys of `augment`.
        data: Where a task's data are.
        field: The column of the text, in .jsonl and .parquet files and on the hub.
        sentences: How much of the synthetic corpus.
        limit: The first examples alone.
        seed: That of the training.
        epoch: Whose rows are made, where each has others.
    """

    model: str | None = setting(
        None, "A model spec with augment in its training.", panel=WHAT, metavar="NAME", aliases=("recipe",)
    )
    operations: str | None = setting(
        None, "A preset (aeda, eda, eda-no-synonyms, noise, style) or a YAML file.", panel=WHAT, metavar="FILE|PRESET"
    )
    data: str = setting(SYNTHETIC, "Where a task's data are, if SOURCE is a task.", panel=WHAT, metavar="SOURCE")
    field: str = setting("text", "The text's column in .jsonl, .parquet and on the hub.", panel=WHAT, metavar="NAME")
    sentences: int = setting(20_000, "How much of the synthetic corpus.", panel=WHAT, ge=100)
    limit: int | None = setting(None, "Use the first N examples.", panel=WHAT, ge=1)
    seed: int = setting(0, "That of the training.", panel=WHAT, ge=0, lt=2**31)
    epoch: int = setting(0, "Whose rows are made, from 0, with each: epoch.", panel=WHAT, ge=0, lt=2**31)
    show: int = setting(5, "Examples that are shown.", panel=OUTPUT, ge=0, le=1000)


class AugmentLaunch(Strict):
    """Where `harness augment` writes.

    Attributes:
        output: A file of JSON lines.
    """

    output: Path | None = setting(
        None, "Write what would be trained on, as JSON lines.", panel=OUTPUT, metavar="FILE", short="o"
    )

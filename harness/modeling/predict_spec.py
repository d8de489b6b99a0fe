"""What `harness predict` is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from harness.core.option_values import comma_separated
from harness.core.panels import OUTPUT, WHAT
from harness.core.strict_spec import Strict, setting


class PredictSpec(Strict):
    """What one `harness predict` is asked for, beside the model."""

    text: list[str] = setting(
        list, "What to complete, or a question; of two towers a caption that files are compared with.", panel=WHAT,
        short="t",
    )  # fmt: skip
    context: list[str] = setting(
        list, "Where a question is answered: one for all, or one for each.", panel=WHAT, short="c"
    )
    rows: Path | None = setting(
        None,
        "JSON Lines, CSV or Parquet with a column text, or question and context, in place of --text.",
        panel=WHAT,
        short="i",
        metavar="FILE",
        flag="input",
    )
    labels: Annotated[list[str], BeforeValidator(comma_separated)] = setting(
        list, "Classes that two towers tell files apart by, without training.", panel=WHAT, metavar="NAME,…", comma=True
    )
    template: list[str] = setting(
        list, "A text that each of --labels is put into, with {label}; the papers' where left out.", panel=WHAT
    )
    top_k: int = setting(5, "How many candidates per position.", panel=OUTPUT, short="k")
    max_new_tokens: int = setting(20, "Of a continuation.", panel=OUTPUT)
    logits: bool = setting(False, "With the raw scores; needs --json.", panel=OUTPUT)
    allow_partial: bool = setting(
        False,
        "Go on where the model's weights do not fit its config, with random numbers for the rest.",
        panel=WHAT,
    )

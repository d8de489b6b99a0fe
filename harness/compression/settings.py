"""What `harness compress` is asked for."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from harness.core.panels import COMPRESSION, OUTPUT, WHAT
from harness.core.run_spec import Trackers, tracker_setting
from harness.core.strict_spec import Strict, setting

SENSITIVITY = "Sensitivity"
"""The panel of `--help` of what an analysis of layers is asked for."""
MARGIN = 0.01
"""The drop, as a fraction of the metric's scale, from which on a layer is skipped."""


class CompressSpec(Strict):
    """What one `harness compress` is asked for, beside the model."""

    output: Path = setting(..., "Where the result goes.", panel=OUTPUT, metavar="FOLDER", short="o")
    method: str | None = setting(
        None, "A compressor, or a chain 'prune-structured:0.5|int8'.", panel=COMPRESSION, short="m"
    )
    options: list[str] = setting(list, "An option of the method.", panel=COMPRESSION, metavar="KEY=VALUE", flag="set")
    recipe: Path | None = setting(
        None, "A method with options, as --sensitivity writes.", panel=COMPRESSION, metavar="FILE"
    )
    task: str | None = setting(None, "Whose examples a method looks at.", panel=WHAT)
    data: str | None = setting(
        None, "synthetic, hub, or a folder or file.", panel=WHAT, metavar="SOURCE", shown="the cell's"
    )
    limit: int | None = setting(
        None, "Use the first N examples; --sensitivity: score so many.", panel=WHAT, metavar="N", ge=1
    )
    seed: int = setting(0, "Of what is drawn.", panel=WHAT, ge=0)
    allow_partial: bool = setting(
        False,
        "Go on where the model's weights do not fit its config, with random numbers for the rest.",
        panel=WHAT,
    )
    track: Trackers = tracker_setting()
    sensitivity: bool = setting(
        False, "Score the method on each layer alone; writes a table and a recipe.", panel=SENSITIVITY
    )
    skip_worst: int | None = setting(None, "The recipe skips the K worst layers.", panel=SENSITIVITY, metavar="K", ge=0)
    margin: float | None = setting(
        None, "Or those that cost more of the metric's scale.", panel=SENSITIVITY, shown=f"{MARGIN:g}", ge=0
    )
    plot: Path | None = setting(None, "The sensitivity as .svg, .png or .pdf.", panel=SENSITIVITY, metavar="FILE")
    split: str | None = setting(None, "What --sensitivity scores.", panel=SENSITIVITY, shown="the evaluated ones")

    @model_validator(mode="after")
    def _settings_of_an_analysis_go_with_it(self) -> CompressSpec:
        for name in ("skip_worst", "margin", "plot", "split"):
            if getattr(self, name) is not None and not self.sensitivity:
                raise ValueError(f"--{name.replace('_', '-')} goes with --sensitivity")
        if self.track and self.sensitivity:
            raise ValueError("--track: an analysis of layers is reported to no tracker")
        return self

"""What `harness leaderboard` is asked for."""

from __future__ import annotations

from pathlib import Path

from pydantic import model_validator

from harness.core.panels import MEASURING, OUTPUT, WHAT
from harness.core.strict_spec import Strict, setting

DIAGNOSTICS = (
    "by_fraction", "robustness", "out_of_distribution", "calibration", "selective", "worst_group", "compression",
    "ranks", "pretraining",
)  # fmt: skip
"""The fields that ask for another table than the leaderboard."""


class LeaderboardSpec(Strict):
    """What one `harness leaderboard` is asked for, beside the runs."""

    columns: str | None = setting(
        None, "Only these: tasks, average, seeds, learner, parameters, …", panel=WHAT, metavar="A,B,…"
    )
    sort: str | None = setting(
        None, "A task, average, model, seeds, parameters, …", panel=WHAT, metavar="COLUMN[:asc|desc]"
    )
    group_by: str | None = setting(None, "base, learner, method, runtime or seeds.", panel=WHAT, metavar="KEY")
    by_fraction: bool = setting(
        False, "Averages by the fraction of the training examples, or by how many of each class.", panel=WHAT
    )
    plot: Path | None = setting(None, "Draw them: .png, .svg or .pdf.", panel=WHAT, metavar="FILE")
    robustness: bool = setting(False, "What scores lose under the noise and the attacks of `run`.", panel=WHAT)
    out_of_distribution: bool = setting(
        False, "Scores on the tasks of `run --eval-on` against those on the data trained for.", panel=WHAT
    )
    calibration: bool = setting(False, "Calibration of classes before and after a temperature.", panel=WHAT)
    selective: bool = setting(
        False, "Risk and coverage: what is right of the answers a model is most confident of.", panel=WHAT
    )
    worst_group: bool = setting(False, "The class and the length of text that models are least right on.", panel=WHAT)
    compression: bool = setting(
        False, "Compressed models against their originals: quality, speed, memory, size.", panel=WHAT
    )
    ranks: bool = setting(False, "Ranks with ties: which models the data do not separate.", panel=WHAT)
    pretraining: bool = setting(False, "Pretrainings: what they took, and their held-out scores.", panel=WHAT)
    show: str | None = setting(
        None, "Columns beside the scores: speed, memory, size, as measured.", panel=MEASURING, metavar="WHAT,…"
    )
    pareto: Path | None = setting(
        None, "Draw quality against speed, memory and size: .png, .svg, .pdf.", panel=MEASURING, metavar="FILE"
    )
    format: str = setting(
        "md",
        "md, csv, json, latex, html (a table for a page), or a plug-in's.",
        panel=OUTPUT,
        metavar="NAME",
        short="f",
    )
    output: Path | None = setting(None, "Write to a file.", panel=OUTPUT, metavar="FILE", short="o")
    update: Path | None = setting(
        None, "Replace the table between the markers of a Markdown file.", panel=OUTPUT, metavar="FILE"
    )
    marker: str | None = setting(None, "Of several tables in that file, this one.", panel=OUTPUT, metavar="NAME")
    html: Path | None = setting(None, "One page to open in a browser, with plots.", panel=OUTPUT, metavar="FILE")

    @property
    def diagnostic(self) -> str | None:
        """The table that is asked for in place of the leaderboard."""
        return next((name for name in DIAGNOSTICS if getattr(self, name)), None)

    @model_validator(mode="after")
    def _one_table_at_a_time(self) -> LeaderboardSpec:
        if sum(getattr(self, name) for name in DIAGNOSTICS) > 1:
            *names, last = (f"--{name.replace('_', '-')}" for name in DIAGNOSTICS)
            raise ValueError(f"give one of {', '.join(names)} and {last}")
        if (self.show or self.pareto) and self.diagnostic:
            raise ValueError("--show and --pareto go with the plain leaderboard")
        if self.plot is not None and not (self.by_fraction or self.pretraining):
            raise ValueError("--plot goes with --by-fraction and --pretraining")
        if self.html is not None and any(name != "html" for name in self.model_dump(exclude_defaults=True)):
            raise ValueError("--html is a page of all tables: give it alone, with runs, --results and --include")
        if (self.columns or self.sort or self.group_by) and self.diagnostic:
            raise ValueError("--columns, --sort and --group-by are of the leaderboard itself, not of its other tables")
        if self.marker is not None and self.update is None:
            raise ValueError("--marker goes with --update")
        if self.update is not None and self.output is not None:
            raise ValueError("give one of --output and --update")
        return self

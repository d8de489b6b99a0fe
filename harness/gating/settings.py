"""What a gate is told: margins, what may change, how strict it is. As flags, or a `gate.yaml`; flags win."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.core.panels import MEASURING, OUTPUT, WHAT
from harness.core.run_spec import SEED_MODES, Mode
from harness.core.specs import Margin, Margins, TaskName
from harness.core.strict_spec import Name, Strict, parse, setting
from harness.core.strict_yaml import load_mapping
from harness.measurement.protocol import MARGINS

Change = Literal["tokenizer", "training-data"]
JUDGING = "Judging"
"""The panel of `--help` of what a verdict depends on."""
ALPHA = 0.05


class GateSpec(Strict):
    """Margins are fractions of a metric's scale: 0.01 is one point of a score ×100, or, where a metric has no upper
    bound, one per cent of the base's score.

    A drop is a regression from `margin` on, if it is significant. A task is OK where its drop is surely below
    `ok_margin`. `metrics` and `tasks` have margins of their own; a task's wins, several metrics count by their mean.
    `speed_margin`, `memory_margin` and `size_margin` are for what was measured: how many times more time, peak memory
    and bytes of weights count; that of speed is 5 % on a CPU and 3 % on a GPU where left out.
    `allow` names what may differ from the baseline's, which is said then: a `tokenizer`, the `training-data`. `models`
    are those of the baseline to judge, `BASE=CANDIDATE` where the candidate's is called otherwise. `seeds` is how many
    of its seeds count, the first ones, all where left out; `mode` stands for 3, 5 or 10. With 1 the candidate's first
    seed is judged, by the spread between the baseline's seeds where it has several.
    """

    margin: float = setting(0.01, "The least drop that counts, 0.01: one point.", panel=JUDGING, ge=0, le=1)
    ok_margin: float = setting(0.03, "OK: the drop is surely below this.", panel=JUDGING, gt=0, le=1)
    tasks: dict[TaskName, Margin] = Field(default_factory=dict)
    metrics: dict[Name, Margin] = Field(default_factory=dict)
    speed_margin: float | None = setting(
        None, "Of time.", panel=MEASURING, shown=f"{MARGINS['cpu']:g}, GPU {MARGINS['cuda']:g}", gt=0, le=1
    )
    memory_margin: float = setting(0.05, "Of peak memory.", panel=MEASURING, ge=0, le=1)
    size_margin: float = setting(0.01, "Of bytes of weights.", panel=MEASURING, ge=0, le=1)
    strict: bool = setting(False, "Exit 3 where something stays inconclusive.", panel=JUDGING)
    allow: list[Change] = setting(list, "What may differ from the baseline's.", panel=JUDGING)
    models: list[str] = setting(
        list,
        "Only this model of the base, and which one of the candidate stands beside it.",
        panel=WHAT,
        metavar="BASE[=CANDIDATE]",
        flag="model",
    )
    seeds: int | None = setting(None, "Only the base's first so many seeds.", panel=JUDGING, ge=1)
    mode: Mode | None = setting(None, "3, 5 or 10 seeds; pr: what so few seeds cannot tell is advisory.", panel=JUDGING)

    texts: bool = setting(True, "Show examples with their texts; ids, labels and counts alone without.", panel=JUDGING)

    @model_validator(mode="after")
    def _one_number_of_seeds(self) -> GateSpec:
        if self.mode is not None and self.seeds is not None:
            raise ValueError(
                f"seeds and mode: give one or the other; mode {self.mode} is {SEED_MODES[self.mode]} seeds"
            )
        return self

    @property
    def seeds_at_most(self) -> int | None:
        return self.seeds if self.mode is None else SEED_MODES[self.mode]

    def margin_of(self, task: str, metrics: Sequence[str]) -> float:
        if task in self.tasks:
            return self.tasks[task]
        margins = [self.metrics.get(metric, self.margin) for metric in metrics]
        return sum(margins) / len(margins)

    def ok_margin_of(self, margin: float) -> float:
        """What a drop must surely stay below; never less than the margin itself."""
        return max(self.ok_margin, margin)

    def speed_margin_on(self, device: str) -> float:
        """Of a measurement on `cpu`, `cuda:0`, …"""
        return self.speed_margin or MARGINS[device.partition(":")[0]]

    def over(self, suites: Sequence[Margins]) -> GateSpec:
        """With the margins of suites where this says nothing of its own; the least of several."""
        changed: dict[str, Any] = {}
        for name in ("margin", "ok_margin"):
            given = [value for margins in suites if (value := getattr(margins, name)) is not None]
            if given and name not in self.model_fields_set:
                changed[name] = min(given)
        for name in ("tasks", "metrics"):
            changed[name] = _least(getattr(margins, name) for margins in suites) | getattr(self, name)
        return self.model_copy(update=changed)


class AcceptSpec(Strict):
    """What `harness baseline accept` is asked for, beside the run."""

    name: str = setting(..., "What to call it; one of this name is replaced.", panel=WHAT)
    models: list[str] = setting(list, "Only this model of the run.", panel=WHAT, flag="model")
    texts: bool = setting(True, "With tasks whose answers are texts; the file holds those answers.", panel=OUTPUT)


class CompareLaunch(Strict):
    """How `harness compare` is called, beside what it judges by."""

    by: Literal["task", "slice", "layer"] = setting(
        "task", "Whole tasks, or also their slices, or the models' layers.", panel=WHAT
    )
    task: list[str] = setting(list, "Judge this task alone; may be given again.", panel=WHAT)
    format: Literal["markdown", "json"] = setting("markdown", "How to print it.", panel=OUTPUT, short="f")
    output: Path | None = setting(None, "Write to a file.", panel=OUTPUT, metavar="FILE", short="o")


class GateLaunch(Strict):
    """How `harness gate` is called, beside what it judges by."""

    baseline: str | None = setting(
        None, "An accepted baseline, by name or file, or READER:PATH of another tool.", panel=WHAT
    )
    candidate: str = setting("latest", "A run, latest, a results folder, a baseline, or READER:PATH.", panel=WHAT)
    task: list[str] = setting(list, "Judge this task alone; may be given again.", panel=WHAT)
    config: Path | None = setting(
        None, "A YAML file: margins of tasks and metrics, these flags; flags win.", panel=JUDGING, metavar="FILE"
    )
    measured: list[Path] = setting(
        list,
        "Judge speed, memory and size by `harness measure BASE CANDIDATE -o FILE`; twice to confirm.",
        panel=MEASURING,
        metavar="FILE",
    )
    remeasure: bool = setting(False, "Measure afresh what looks worse, in place of a second file.", panel=MEASURING)
    benchmark_json: tuple[Path, Path] | None = setting(
        None, "Two runs of pytest-benchmark on one machine; advisory.", panel=MEASURING, metavar="BASE CANDIDATE"
    )
    report: Path | None = setting(None, "The JSON, to a file.", panel=OUTPUT, metavar="FILE")
    junit: Path | None = setting(None, "JUnit XML.", panel=OUTPUT, metavar="FILE")
    summary: Path | None = setting(None, "Markdown for a step summary; appended to.", panel=OUTPUT, metavar="FILE")
    comment: Path | None = setting(None, "Markdown for a pull request's comment.", panel=OUTPUT, metavar="FILE")
    annotations: bool = setting(False, "GitHub's error and warning lines.", panel=OUTPUT)

    @model_validator(mode="after")
    def _there_is_something_to_judge_by(self) -> GateLaunch:
        if self.baseline is None and self.benchmark_json is None:
            raise ValueError("nothing to judge by: give --baseline NAME (`harness baseline list`), or --benchmark-json")
        if self.baseline is None and (self.measured or self.remeasure):
            raise ValueError("--measured: give --baseline too; it says which models are judged")
        if self.remeasure and not self.measured:
            raise ValueError("--remeasure: measure once first, and give the file with --measured")
        return self


def _least(every: Iterable[Mapping[str, float]]) -> dict[str, float]:
    least: dict[str, float] = {}
    for margins in every:
        for name, margin in margins.items():
            least[name] = min(margin, least.get(name, margin))
    return least


def settings(config: Path | None, flags: dict[str, Any]) -> GateSpec:
    """Raises HarnessError for an unknown key or a value out of range."""
    values = {} if config is None else load_mapping(config)
    if {"seeds", "mode"} & set(flags):  # a flag stands for both keys of the file
        values = {key: value for key, value in values.items() if key not in ("seeds", "mode")}
    where = "the command line" if config is None else f"{config} and the command line"
    return parse(GateSpec, {**values, **flags}, where)

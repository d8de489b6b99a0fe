"""What the Python API returns of single models and of verdicts: checkpoints, compressed models, measurements,
comparisons.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.facts import facts_from
from harness.core.measurement_records import MeasurementFacts
from harness.core.search_records import TuneRecord
from harness.corpora.filtering.filtering import Funnel
from harness.data.corpus_manifest import CorpusManifest
from harness.gating.engine import Report
from harness.gating.flips import Flips
from harness.report.results import RunResult
from harness.report.text import gate_formats
from harness.report.text.measuring import measurement_text

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A model that was pretrained or meta-trained.

    Attributes:
        folder: The `save_pretrained` folder.
        record: What the training left: data, steps, scores or losses, environment.
    """

    folder: Path
    record: Record

    def __fspath__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True)
class CompressedModel:
    """A model that was compressed.

    Attributes:
        folder: Its folder, which names its runtime.
        base: The folder of the model it was made of.
        method: The method or chain of methods.
        runtime: What serves it.
        record: All that is known of the compression: parameters, non-zero weights and bytes before and after, coverage.
    """

    folder: Path
    base: Path
    method: str
    runtime: str
    record: Record

    def __fspath__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True)
class TunedModel:
    """A model whose training values were searched.

    Attributes:
        run: The run in which it was trained on all training examples and scored once.
        spec: The file of its model spec, for `--model`.
        record: The search: its space, trials, values, states, and the expected best value by number of trials.
    """

    run: RunResult
    spec: Path
    record: TuneRecord

    @property
    def values(self) -> dict[str, Any]:
        """The training values that were chosen."""
        return next(trial.values for trial in self.record.trials if trial.number == self.record.best)

    def to_pandas(self) -> pd.DataFrame:
        """A row a trial: its number, values, state, and value."""
        import pandas as pd

        rows = [
            {"trial": trial.number, **trial.values, "state": trial.state, "value": trial.value}
            for trial in self.record.trials
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class FilteredCorpus:
    """A corpus that was filtered.

    Attributes:
        folder: Its folder: `text.jsonl`, `ledger.jsonl` (a line a removed document), `funnel.json`, `corpus.json`.
        manifest: Its source, rules with all settings, and the fingerprint of what was kept.
        funnel: What each rule removed.
    """

    folder: Path
    manifest: CorpusManifest
    funnel: Funnel

    def __fspath__(self) -> str:
        return str(self.folder)


@dataclass(frozen=True)
class Ratio:
    """How a candidate compares with its base in time at one workload.

    Attributes:
        model: The candidate.
        workload: Rows × tokens of a call, or a task.
        stage: `forward`, or `prefill` and `decode` of a generative model.
        value: Speed over the base's: above 1 is faster. None where too few pairs of calls were timed.
        low: Lower end of the 95 % interval.
        high: Upper end of it.
        verdict: `VALID`, `IMPRECISE` or `INVALID`.
        reason: Why it is not valid.
    """

    model: str
    workload: str
    stage: str
    value: float | None
    low: float | None
    high: float | None
    verdict: str
    reason: str


@dataclass(frozen=True)
class Measurement:
    """Models timed side by side.

    Attributes:
        valid: Whether every timing is valid. Decide nothing by the ratios of a measurement that is not.
        verdict: `VALID`, `IMPRECISE` or `INVALID`, the worst of all timings.
        ratios: The speed of each candidate over its base's.
        record: The whole result: times, percentiles, memory, sizes, environment, samples.
    """

    valid: bool
    verdict: str
    ratios: tuple[Ratio, ...]
    record: Record = field(repr=False)

    def ratio(self, model: str | None = None) -> Ratio:
        """The first ratio of a candidate, of the first candidate where none is named.

        Raises:
            KeyError: there is none.
        """
        for ratio in self.ratios:
            if model is None or ratio.model == model:
                return ratio
        raise KeyError(model)

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with one row a candidate × workload × stage."""
        import pandas as pd

        return pd.DataFrame([asdict(ratio) for ratio in self.ratios], columns=list(Ratio.__dataclass_fields__))

    def to_json(self) -> str:
        """The whole result, as `harness measure --json` prints it."""
        return json.dumps(self.record, ensure_ascii=False, indent=1, allow_nan=False)

    def to_markdown(self) -> str:
        """The tables that `harness measure` prints."""
        return measurement_text(facts_from(MeasurementFacts, self.record, "the measurement")).rstrip("\n")

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.to_markdown())}</pre>"


@dataclass(frozen=True)
class Comparison:
    """Two sets of results on the same examples.

    Attributes:
        report: The verdicts with all numbers they rest on; drops are fractions of a metric's scale.
        flips: Which examples changed from right to wrong, and back.
    """

    report: Report
    flips: tuple[Flips, ...]

    def to_pandas(self) -> pd.DataFrame:
        """A data frame with one row a model × task, averages first; columns are those of a verdict."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.report.rows])

    def to_json(self) -> str:
        """As `harness compare --format json` and `harness gate --json` print it."""
        return gate_formats.to_json(self.report, self.flips)

    def to_markdown(self) -> str:
        """The table of verdicts."""
        return gate_formats.table(self.report)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.to_markdown())}</pre>"


@dataclass(frozen=True)
class GateReport(Comparison):
    """The verdict of a gate."""

    @property
    def passed(self) -> bool:
        """Whether nothing that was judged fails the gate."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """That of `harness gate`: 0 passed, 1 regressed, 3 inconclusive and strict, 4 not comparable, 5 invalid."""
        return self.report.exit_code

    @property
    def outcome(self) -> str:
        """The exit code in words."""
        return self.report.outcome


def measurement_of(record: Record) -> Measurement:
    """A measurement as `harness measure` keeps it."""
    facts = facts_from(MeasurementFacts, record, "the measurement")
    ratios = [
        Ratio(
            model=name,
            workload=workload,
            stage=stage_name,
            value=model.speed_ratio.value if model.speed_ratio else None,
            low=model.speed_ratio.low if model.speed_ratio else None,
            high=model.speed_ratio.high if model.speed_ratio else None,
            verdict=model.verdict.verdict,
            reason=model.verdict.reason,
        )
        for workload, cell in facts.cells.items()
        for stage_name, stage in cell.stages.items()
        for name, model in stage.models.items()
        if model.verdict is not None
    ]
    return Measurement(facts.is_valid, facts.verdict, tuple(ratios), record)

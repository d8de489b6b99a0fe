"""harness: from raw text to a decision about a language model.

The public names are imported when they are first used; `import harness` imports nothing but this file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.core.version import __version__

if TYPE_CHECKING:
    from harness.api.augmenting import augment
    from harness.api.corpora import corpus_filter, corpus_report
    from harness.api.models import compress, measure, meta_train, pretrain
    from harness.api.robustness import robustness
    from harness.api.runs import evaluate, load_results, plan, run
    from harness.api.scoring import ScoredModel, score
    from harness.api.tuning import tune
    from harness.api.verdicts import compare, gate
    from harness.core.errors import HarnessError
    from harness.core.plugins import lookup, register
    from harness.corpora.reporting.report import CorpusReport
    from harness.data.augment.outcomes import AugmentedData
    from harness.data.frames import Task
    from harness.measurement.callables import PairedTiming
    from harness.pipeline.commands.plan import PlannedRun
    from harness.report.outcomes import (
        Checkpoint,
        Comparison,
        CompressedModel,
        FilteredCorpus,
        GateReport,
        Measurement,
        TunedModel,
    )
    from harness.report.results import Failure, Leaderboard, Results, RunResult, Score
    from harness.report.robustness import RobustnessReport
    from harness.training.learners.objects import WrappedModel, wrap

_NAMES = {
    "run": "harness.api.runs",
    "evaluate": "harness.api.runs",
    "robustness": "harness.api.robustness",
    "plan": "harness.api.runs",
    "pretrain": "harness.api.models",
    "meta_train": "harness.api.models",
    "compress": "harness.api.models",
    "measure": "harness.api.models",
    "augment": "harness.api.augmenting",
    "corpus_filter": "harness.api.corpora",
    "corpus_report": "harness.api.corpora",
    "compare": "harness.api.verdicts",
    "gate": "harness.api.verdicts",
    "score": "harness.api.scoring",
    "tune": "harness.api.tuning",
    "load": "harness.api.models",
    "load_results": "harness.api.runs",
    "LoadedModel": "harness.modeling.loaded",
    "wrap": "harness.training.learners.objects",
    "WrappedModel": "harness.training.learners.objects",
    "Task": "harness.data.frames",
    "register": "harness.core.plugins",
    "lookup": "harness.core.plugins",
    "HarnessError": "harness.core.errors",
    "AugmentedData": "harness.data.augment.outcomes",
    "Checkpoint": "harness.report.outcomes",
    "Comparison": "harness.report.outcomes",
    "CompressedModel": "harness.report.outcomes",
    "Failure": "harness.report.results",
    "CorpusReport": "harness.corpora.reporting.report",
    "FilteredCorpus": "harness.report.outcomes",
    "GateReport": "harness.report.outcomes",
    "Leaderboard": "harness.report.results",
    "Measurement": "harness.report.outcomes",
    "PairedTiming": "harness.measurement.callables",
    "PlannedRun": "harness.pipeline.commands.plan",
    "RobustnessReport": "harness.report.robustness",
    "Results": "harness.report.results",
    "RunResult": "harness.report.results",
    "Score": "harness.report.results",
    "ScoredModel": "harness.api.scoring",
    "TunedModel": "harness.report.outcomes",
}

__all__ = [
    "AugmentedData",
    "Checkpoint",
    "Comparison",
    "CompressedModel",
    "CorpusReport",
    "Failure",
    "FilteredCorpus",
    "GateReport",
    "HarnessError",
    "Leaderboard",
    "LoadedModel",
    "Measurement",
    "PairedTiming",
    "PlannedRun",
    "Results",
    "RobustnessReport",
    "RunResult",
    "Score",
    "ScoredModel",
    "Task",
    "TunedModel",
    "WrappedModel",
    "__version__",
    "augment",
    "compare",
    "compress",
    "corpus_filter",
    "corpus_report",
    "evaluate",
    "gate",
    "load",
    "load_results",
    "lookup",
    "measure",
    "meta_train",
    "plan",
    "pretrain",
    "register",
    "robustness",
    "run",
    "score",
    "tune",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})

"""Metrics: one module each, over a well-kept library; each is also an `evaluate.Metric` that needs no network.

`get(name)` is the metric; `load(name)` is the same as an `evaluate.Metric`. Scoring uses the former, since importing
`evaluate` imports transformers' pipelines and torch with it, many seconds that a baseline does not need.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.hashing import hash_code
from harness.metrics.base import Metric
from harness.plugins import Plugins

if TYPE_CHECKING:
    import evaluate

METRICS: Plugins[Metric] = Plugins(
    "metric",
    "METRIC",
    {
        "accuracy": "harness.metrics.accuracy",
        "f1": "harness.metrics.f1",
        "macro_f1": "harness.metrics.macro_f1",
        "matthews_correlation": "harness.metrics.matthews",
        "pearson": "harness.metrics.pearson",
        "spearman": "harness.metrics.spearman",
    },
)


def register(metric: Metric) -> Metric:
    """Add a metric from outside: the module that calls this is its source.

    Raises:
        HarnessError: the name is built in, or taken by another module.
    """
    return METRICS.register(metric.name, metric, source=Path(sys._getframe(1).f_code.co_filename))


def get(name: str) -> Metric:
    return METRICS.get(name)


def load(name: str) -> evaluate.Metric:
    """A registered metric as an `evaluate.Metric`: `load("accuracy").compute(predictions=…, references=…)`; no
    network.
    """
    from harness.metrics.hf import RegisteredMetric

    return RegisteredMetric(get(name))


def names() -> list[str]:
    return METRICS.names()


def source(name: str) -> Path:
    return METRICS.source(name)


def code_version(name: str) -> str:
    """SHA-256 (hex) of the code a metric's scores depend on; found without importing a built-in metric.

    Raises:
        HarnessError: an unknown metric, or one that was not registered by a file, so that a change would go unseen.
    """
    module, folder = source(name), Path(__file__).parent
    if not module.is_file():
        raise HarnessError(f"metric {name} was registered from {module}, which is no file; register it in a module")
    return hash_code([module, folder / "base.py", folder / "resampling.py"])


__all__ = ["METRICS", "Metric", "code_version", "get", "load", "names", "register", "source"]

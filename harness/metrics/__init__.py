"""Metrics: one module each, an `evaluate.Metric` over a well-kept library and its description for harness."""

from __future__ import annotations

from pathlib import Path

from harness.hashing import hash_code
from harness.metrics.base import Metric
from harness.plugins import Plugins

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
    """Add a metric from outside. Raises HarnessError where its name is taken by other code."""
    return METRICS.register(metric.name, metric, source=_source_of(metric))


def get(name: str) -> Metric:
    return METRICS.get(name)


def names() -> list[str]:
    return METRICS.names()


def source(name: str) -> Path:
    return METRICS.source(name)


def code_version(name: str) -> str:
    """SHA-256 (hex) of the code a metric's scores depend on; found without importing a built-in metric."""
    folder = Path(__file__).parent
    return hash_code([source(name), folder / "base.py", folder / "resampling.py"])


def _source_of(metric: Metric) -> Path:
    code = getattr(metric.compute, "__code__", None)
    return Path(code.co_filename) if code else Path()


__all__ = ["METRICS", "Metric", "code_version", "get", "names", "register", "source"]

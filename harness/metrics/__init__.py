"""Metrics: a module each, or one for close kin, over a well-kept library; each is also an `evaluate.Metric` that needs
no network.

`get(name)` is the metric; `load(name)` is the same as an `evaluate.Metric`. Scoring uses the former, since importing
`evaluate` imports transformers' pipelines and torch with it, many seconds that a baseline does not need.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.hashing import hash_code
from harness.core.plugins import Plugins
from harness.metrics.base import Metric

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
        "exact_match": "harness.metrics.squad:EXACT_MATCH",
        "squad_f1": "harness.metrics.squad:SQUAD_F1",
        "rouge1": "harness.metrics.rouge:ROUGE_1",
        "rouge2": "harness.metrics.rouge:ROUGE_2",
        "rougeL": "harness.metrics.rouge:ROUGE_L",
        "rougeLsum": "harness.metrics.rouge:ROUGE_LSUM",
        "bleu": "harness.metrics.translation:BLEU_13A",
        "bleu_zh": "harness.metrics.translation:BLEU_ZH",
        "chrf": "harness.metrics.translation:CHRF_6",
        "bits_per_byte": "harness.metrics.perplexity:BITS_PER_BYTE",
        "byte_perplexity": "harness.metrics.perplexity:BYTE_PERPLEXITY",
        "word_perplexity": "harness.metrics.perplexity:WORD_PERPLEXITY",
        "distinct_1": "harness.metrics.diversity:DISTINCT_1",
        "distinct_2": "harness.metrics.diversity:DISTINCT_2",
        "self_bleu": "harness.metrics.diversity:SELF_BLEU",
        "repetition_4": "harness.metrics.diversity:REPETITION_4",
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
    """SHA-256 (hex) of the code a metric's scores depend on: its module and what that imports of this package; found
    without importing a built-in metric.

    Raises:
        HarnessError: an unknown metric, or one that was not registered by a file, so that a change would go unseen.
    """
    module, folder = source(name), Path(__file__).parent
    if not module.is_file():
        raise HarnessError(f"metric {name} was registered from {module}, which is no file; register it in a module")
    found: set[Path] = set()
    waiting = [module, folder / "base.py", folder / "resampling.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imported(path)
    return hash_code(found)


_IMPORT = re.compile(r"^\s*(?:from|import)\s+harness\.metrics\.(\w+)", re.MULTILINE)


def _imported(path: Path) -> list[Path]:
    """The modules of this package that a file imports, as all its modules do: `from harness.metrics.words import …`."""
    modules = (Path(__file__).parent / f"{name}.py" for name in _IMPORT.findall(path.read_text(encoding="utf-8")))
    return [module for module in modules if module.is_file()]


__all__ = ["METRICS", "Metric", "code_version", "get", "load", "names", "register", "source"]

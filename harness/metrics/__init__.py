"""Metrics: a module each, or one for close kin, over a well-kept library; each is also an `evaluate.Metric` that needs
no network.

`get(name)` is the metric; `harness.metrics.hf.load(name)` is the same as an `evaluate.Metric`. Scoring uses the former,
since importing `evaluate` imports transformers' pipelines and torch with it, seconds that a baseline does not need.
"""

from __future__ import annotations

import sys
from pathlib import Path
from warnings import warn

from harness.core import code_identity, plugins
from harness.core.errors import HarnessError
from harness.core.libraries import LIBRARIES, library_of
from harness.core.plugins import Plugins
from harness.core.specs import LIBRARY_MARK
from harness.metrics.base import Metric

METRICS: Plugins[Metric] = plugins.table("metric")


def register(metric: Metric) -> Metric:
    """Deprecated: `harness.register("metric", metric.name, metric)` does this for all kinds of plug-ins."""
    warn('use harness.register("metric", metric.name, metric)', DeprecationWarning, stacklevel=2)
    return METRICS.register(metric.name, metric, source=Path(sys._getframe(1).f_code.co_filename))


def get(name: str) -> Metric:
    """The metric of a name, or that of a task library, `LIBRARY:NAME`."""
    asked = library_of(name)
    return METRICS.get(name) if asked is None else asked[0].metric(asked[1])


def names() -> list[str]:
    return METRICS.names()


def source(name: str) -> Path:
    library, mark, _ = name.partition(LIBRARY_MARK)
    return LIBRARIES.source(library) if mark and library in LIBRARIES.names() else METRICS.source(name)


def code_version(name: str) -> str:
    """SHA-256 (hex) of the code a metric's scores depend on: its module and what that imports; found without importing
    a built-in metric.

    Raises:
        HarnessError: an unknown metric, or one that was not registered by a file, so that a change would go unseen.
    """
    module = source(name)
    if not module.is_file():
        raise HarnessError(f"metric {name} was registered from {module}, which is no file; register it in a module")
    return code_identity.identity(module)


__all__ = ["METRICS", "Metric", "code_version", "get", "names", "register", "source"]

"""What the fixtures of `harness.pytest_plugin` give: models that are scored, and callables that are timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.api.scoring import ScoredModel, score
from harness.core.machine.results_place import ACCEPTED
from harness.measurement.callables import PairedTiming, time_pair

GROUP = "harness"
JUDGED_BY = ("margin", "ok_margin", "allow")
"""Arguments of the marker that a comparison takes; the others are of the run."""


class Scorer:
    """The fixture `harness`: scores models for a test, by the arguments of its marker."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._config = request.config
        self._settings: dict[str, Any] = {}
        for mark in reversed(list(request.node.iter_markers(GROUP))):  # the nearest last
            if mark.args:
                raise pytest.UsageError(f"{request.node.nodeid}: the marker harness takes names and values, as seeds=3")
            self._settings |= mark.kwargs

    def score(self, task: Any, model: Any, **settings: Any) -> ScoredModel:
        """As `harness.score`: `harness.score("sst2", model).assert_not_worse_than("main", margin=0.01)`. Results are in
        the folder of --harness-out, accepted baselines in `baselines/accepted`, both from where pytest was started.
        """
        here = self._config.invocation_params.dir
        asked = {**self._settings, **settings}
        judged_by = {name: asked.pop(name) for name in JUDGED_BY if name in asked}
        places = {"out": here / self._config.getoption("--harness-out"), "baselines": here / ACCEPTED}
        strict = bool(self._config.getoption("--harness-strict"))
        return score(task, model, **{**places, "strict": strict, **asked}, judged_by=judged_by)


class PairedBenchmark:
    """The fixture `paired_benchmark`."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request

    def __call__(self, base: Callable[[], Any], candidate: Callable[[], Any], **settings: Any) -> PairedTiming:
        """The timing, as `harness.measurement.callables.time_pair`; skips where nothing can be timed."""
        config = self._request.config
        is_disabled = getattr(config.option, "benchmark_disable", False)
        if is_disabled or hasattr(config, "workerinput"):
            base()
            candidate()
            why = "benchmarks are disabled" if is_disabled else "workers of xdist disturb each other's times"
            pytest.skip(f"not timed: {why}")
        timing = time_pair(base, candidate, **settings)
        if config.pluginmanager.hasplugin("benchmark"):
            benchmark = self._request.getfixturevalue("benchmark")
            numbers = {name: getattr(timing, name) for name in ("ratio", "low", "high", "pairs", "validity")}
            benchmark.extra_info[GROUP] = numbers
            benchmark.pedantic(candidate, rounds=5, warmup_rounds=1)
        return timing

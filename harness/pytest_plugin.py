"""A pytest plug-in: `pytest --harness-baseline NAME --harness-candidate RUN` adds a test item per verdict of the gate;
the fixtures `harness` and `paired_benchmark` assert something of models and of callables in tests.

Imports nothing heavy: pytest loads it in every project that has this package installed. What judges is imported where
it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from harness.core.errors import InconclusiveError
from harness.core.lazy import lazy

scoring = lazy("harness.api.scoring")
callables = lazy("harness.measurement.callables")
baseline = lazy("harness.gating.baseline")

GROUP = "harness"
MARKER = "harness(seeds=1, limit=None, margin=0.01, ok_margin=0.03, …): how the fixture `harness` scores and judges"
JUDGED_BY = ("margin", "ok_margin", "allow")
"""Arguments of the marker that a comparison takes; the others are of the run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup(GROUP, "regression gate of models")
    group.addoption("--harness-baseline", metavar="NAME", help="judge against this accepted baseline, a name or file")
    group.addoption(
        "--harness-candidate", metavar="RUN", default="latest", help="the run to judge (default: the latest)"
    )
    group.addoption("--harness-out", metavar="DIR", default="results", help="the results folder (default: results)")
    group.addoption("--harness-config", metavar="FILE", help="a gate.yaml with margins")
    group.addoption(
        "--harness-measured",
        metavar="FILE",
        action="append",
        default=[],
        help="judge speed, memory and size by what `harness measure -o FILE` wrote; twice to confirm",
    )
    group.addoption("--harness-strict", action="store_true", help="what stays inconclusive fails")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and what judges, where it is asked for."""
    config.addinivalue_line("markers", MARKER)
    if config.getoption("--harness-baseline"):
        config.pluginmanager.import_plugin("harness.pytest_gate")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """What is inconclusive skips with its reason; with --harness-strict it fails."""
    try:
        return (yield)
    except InconclusiveError as error:
        if item.config.getoption("--harness-strict"):
            raise
        pytest.skip(str(error))


class Scorer:
    """The fixture `harness`: scores models for a test, by the arguments of its marker."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._config = request.config
        self._settings: dict[str, Any] = {}
        for mark in reversed(list(request.node.iter_markers(GROUP))):  # the nearest last
            if mark.args:
                raise pytest.UsageError(f"{request.node.nodeid}: the marker harness takes names and values, as seeds=3")
            self._settings |= mark.kwargs

    def score(self, task: Any, model: Any, **settings: Any) -> Any:
        """As `harness.score`: `harness.score("sst2", model).assert_not_worse_than("main", margin=0.01)`. Results are in
        the folder of --harness-out, accepted baselines in `baselines/accepted`, both from where pytest was started.
        """
        here = self._config.invocation_params.dir
        asked = {**self._settings, **settings}
        judged_by = {name: asked.pop(name) for name in JUDGED_BY if name in asked}
        places = {"out": here / self._config.getoption("--harness-out"), "baselines": here / baseline.FOLDER}
        strict = bool(self._config.getoption("--harness-strict"))
        return scoring.score(task, model, **{**places, "strict": strict, **asked}, judged_by=judged_by)


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Scorer:
    """Scores models on tasks and asserts that they are not worse than a baseline."""
    return Scorer(request)


@pytest.fixture
def paired_benchmark(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Times two callables in turns, by the protocol of `harness measure`:
    `paired_benchmark(old, new).assert_not_slower(margin=0.05)`.

    With pytest-benchmark the second one is a benchmark of the test as well, and the ratio stands in its `extra_info`.
    Where benchmarks are disabled, and under xdist, whose workers disturb each other, both are called once, and the test
    skips.
    """

    def timed(base: Callable[[], Any], candidate: Callable[[], Any], **settings: Any) -> Any:
        option = request.config.option
        is_disabled = getattr(option, "benchmark_disable", False) or getattr(option, "benchmark_skip", False)
        if is_disabled or hasattr(request.config, "workerinput"):
            base()
            candidate()
            why = "benchmarks are disabled" if is_disabled else "workers of xdist disturb each other's times"
            pytest.skip(f"not timed: {why}")
        timing = callables.time_pair(base, candidate, **settings)
        if request.config.pluginmanager.hasplugin("benchmark"):
            benchmark = request.getfixturevalue("benchmark")
            numbers = {name: getattr(timing, name) for name in ("ratio", "low", "high", "pairs", "validity")}
            benchmark.extra_info[GROUP] = numbers
            benchmark.pedantic(candidate, rounds=5, warmup_rounds=1)
        return timing

    return timed

"""A pytest plug-in: `pytest --harness-baseline NAME --harness-candidate RUN` adds a test item per verdict of the gate;
the fixtures `harness` and `paired_benchmark` assert something of models and of callables in tests.

Imports nothing heavy: pytest loads it in every project that has this package installed. What judges is imported where
it is asked for.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from harness.core.errors import InconclusiveError

GROUP = "harness"
MARKER = "harness(seeds=1, limit=None, margin=0.01, ok_margin=0.03, …): how the fixture `harness` scores and judges"
SCORING = "harness.pytest_scoring"


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


def _scoring(config: pytest.Config) -> Any:
    """The module behind the fixtures, imported by pytest for the first test that asks for one."""
    config.pluginmanager.import_plugin(SCORING)
    return config.pluginmanager.get_plugin(SCORING)


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Any:
    """Scores models on tasks and asserts that they are not worse than a baseline:
    `harness.score("sst2", model).assert_not_worse_than("main", margin=0.01)`.
    """
    return _scoring(request.config).Scorer(request)


@pytest.fixture
def paired_benchmark(request: pytest.FixtureRequest) -> Any:
    """Times two callables in turns, by the protocol of `harness measure`:
    `paired_benchmark(old, new).assert_not_slower(margin=0.05)`.

    With pytest-benchmark the second one is a benchmark of the test as well, and the ratio stands in its `extra_info`.
    Where benchmarks are disabled, and under xdist, whose workers disturb each other, both are called once, and the test
    skips.
    """
    return _scoring(request.config).PairedBenchmark(request)

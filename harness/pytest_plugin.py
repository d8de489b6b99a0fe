"""A pytest plug-in: `pytest --harness-baseline NAME --harness-candidate RUN` adds a test item per verdict of the gate.

Imports nothing: pytest loads it in every project that has this package installed. What judges is a plug-in of its own,
which pytest imports where a baseline is given.
"""

from __future__ import annotations

import pytest

GROUP = "harness"


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
    """Register what judges, where it is asked for."""
    if config.getoption("--harness-baseline"):
        config.pluginmanager.import_plugin("harness.pytest_gate")

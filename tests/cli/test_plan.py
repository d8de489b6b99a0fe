"""`harness plan`: a run simulated on several nodes, of which nothing is computed."""

from __future__ import annotations

import pytest

import harness as package
from tests.conftest import SMALL, read_json


def test_a_plan_says_time_bounds_path_and_curve_and_computes_nothing(harness, tmp_path):
    done = harness("plan", *SMALL, "--nodes", "3", "--cores", "2", "--threads", "1", "--price", "2.5")
    first, text = done.stdout.splitlines()[0], done.stdout
    assert first == "8 cells, 0 cached, 8 to compute"
    for part in ("makespan", "on 3 nodes, 6 workers", "bounded by", "utilization", "critical path, 2 cells:", "cost"):
        assert part in text
    assert "memory is not considered; --memory says what a node has" in text
    assert not list((tmp_path / "results" / "cells").iterdir()) and not list((tmp_path / "results" / "runs").iterdir())


def test_the_json_holds_what_the_text_shows_and_the_api_returns_the_same(harness, tmp_path, machine_cache, monkeypatch):
    asked = ("plan", *SMALL, "--nodes", "3", "--cores", "2", "--threads", "1", "--price", "2.5", "--memory", "4G")
    planned = read_json(harness(*asked, "--json").stdout)
    assert planned["workers"] == 6 and planned["workers_per_node"] == 2 and planned["unknown_cost"] == 0
    assert [point["nodes"] for point in planned["curve"]] == [1, 2, 3] and planned["curve"][0]["efficiency"] == 1
    assert planned["cost"] == pytest.approx(2.5 * 3 * planned["makespan"] / 3600, rel=0.01)
    bounds = planned["bounds"]
    assert planned["makespan"] >= max(bounds.values()) and planned["bounded_by"] in bounds
    assert len(planned["critical_path"]) == 2
    assert sum(cell["seconds"] for cell in planned["critical_path"]) == pytest.approx(bounds["critical path"], abs=0.02)
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    typed = package.plan(
        nodes=3, cores=2, threads=1, price=2.5, memory="4G", task=["cola", "stsb"], models=["majority", "tfidf"],
        limit=200, out=str(tmp_path / "results"),
    )  # fmt: skip
    assert isinstance(typed, package.PlannedRun)
    assert typed.makespan == pytest.approx(planned["makespan"], abs=0.01) and typed.bound == planned["bounded_by"]


def test_gpus_are_an_assumption_and_said_to_be(harness):
    done = harness("plan", "--task", "sst2", "--model", "bert-tiny", "--limit", "60", "--nodes", "2", "--gpus", "4")
    assert "on 2 nodes, 8 workers" in done.stdout
    assert "operations a second, which was not measured" in done.stdout


def test_measuring_cells_bound_a_run_that_has_long_ones(harness):
    planned = read_json(
        harness(
            "plan", "--task", "sst2", "--model", "bert-tiny", "--limit", "60", "--compress", "int8", "--measure",
            "--measure-budget", "30m", "--nodes", "8", "--json",
        ).stdout
    )  # fmt: skip
    assert planned["bounded_by"] == "measuring cells that need a node of their own"
    assert planned["curve"][-1]["makespan"] > 0.9 * planned["curve"][0]["makespan"]


def test_what_is_cached_is_not_planned(small_run):
    harness, _, _ = small_run
    assert harness("plan", *SMALL, "--nodes", "2").stdout.strip() == "8 cells, 8 cached, 0 to compute"
    planned = read_json(harness("plan", *SMALL, "--nodes", "2", "--price", "1", "--json").stdout)
    assert planned["makespan"] == 0 and planned["cost"] == 0 and planned["bounded_by"] is None


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (("--nodes", "0"), "nodes"),
        (("--nodes", "two"), "--nodes"),
        (("--gpus", "-1"), "gpus"),
        (("--cores", "0"), "cores"),
        (("--memory", "lots"), "memory: a size such as 512M or 8G is expected, found 'lots'"),
        (("--memory", "100M"), "more than a node has"),
        (("--price", "nan"), "price"),
        (("--price", "-1"), "price"),
        (
            ("--executor", "inline"),
            "executor inline computes one cell after another; plan it with local, ray or submitit",
        ),
        (("--cores", "2", "--threads", "4"), "a worker needs 4 cores, and a node has 2"),
    ],
)
def test_nodes_that_cannot_be_are_refused_in_one_line(harness, options, cause):
    done = harness("plan", *SMALL, *options, code=2)
    assert cause in done.stderr and len(done.stderr.strip().splitlines()) == 1

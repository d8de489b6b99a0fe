"""What a command imports before it has anything to compute, or to compute with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.installation import PACKAGE
from tests.conftest import SMALL

SCRIPT = """
import sys
from harness.cli.app import main
sys.argv = ["harness", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("imported:", *sorted(set(sys.modules)))
"""
HEAVY = {"torch", "transformers", "datasets", "evaluate", "numpy", "scipy", "sklearn", "pandas", "pyarrow"}


def called(folder: Path, *arguments: str) -> tuple[str, set[str]]:
    """What a command prints in a process of its own, and the modules it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    shown, _, imported = done.stdout.rpartition("imported:")
    return shown, set(imported.split())


def rooms(modules: set[str]) -> set[str]:
    return {module.split(".")[1] for module in modules if module.startswith("harness.")}


@pytest.mark.process
def test_a_list_is_remembered_and_not_that_of_specs_of_ones_own(machine_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(PACKAGE.parent))
    first, modules = called(tmp_path, "list", "suites")
    assert "glue" in first and "harness.core.registry" in modules and not HEAVY & modules
    again, modules = called(tmp_path, "list", "suites")
    assert again == first and "harness.core.registry" not in modules and rooms(modules) <= {"cli", "core", "report"}
    task = tmp_path / "tasks" / "mine.yaml"
    task.parent.mkdir()
    task.write_text((PACKAGE.parent / "tasks" / "suites" / "glue.yaml").read_text().replace("name: glue", "name: mine"))
    assert "mine" in called(tmp_path, "list", "suites", "--include", str(task))[0]


@pytest.mark.process
def test_showing_a_run_imports_neither_what_computes_nor_what_plans(small_run):
    _, folder, _ = small_run
    shown, modules = called(folder, "show")
    assert "majority" in shown and not HEAVY & modules
    assert not {"pipeline", "gating", "api"} & rooms(modules)


@pytest.mark.slow
def test_a_run_that_is_there_imports_nothing_that_computes(small_run, monkeypatch, machine_cache):
    _, folder, _ = small_run
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    shown, modules = called(folder, "run", *SMALL)
    assert "majority" in shown and not HEAVY & modules
    assert "harness.pipeline.executors.execute" not in modules


@pytest.mark.slow
def test_a_plan_and_a_run_of_a_transformer_that_is_there_import_no_torch(machine_cache, tmp_path, monkeypatch):
    asked = ["run", "--task", "sst2", "--model", "bert-tiny", "--limit", "8", "--epochs", "1", "--workers", "1"]
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    called(tmp_path, *asked, "--dry-run")  # where the config was never checked on this machine `transformers` is asked
    assert not HEAVY & called(tmp_path, *asked, "--dry-run")[1]
    called(tmp_path, *asked)
    assert not HEAVY & called(tmp_path, *asked)[1]
